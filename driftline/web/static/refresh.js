// Fetches the page anew every five seconds and puts its <main> in place of the old one, keeping scroll
// position, focus, open details and whatever is being typed or selected.
"use strict";

const PERIOD_MS = 5000;
const freshness = document.getElementById("freshness");
let failing = false;

function busy() {
  const main = document.getElementById("main");
  const typing = main.querySelector("input:focus");
  const selection = document.getSelection();
  const selecting = !selection.isCollapsed && main.contains(selection.anchorNode);
  return document.hidden || typing !== null || selecting;
}

function keep(main) {
  const ids = (selector) => Array.from(main.querySelectorAll(selector), (each) => each);
  return {
    focus: main.contains(document.activeElement) ? document.activeElement.id : "",
    open: new Map(ids("details[id]").map((each) => [each.id, each.open])),
    left: new Map(ids(".scroll[id]").map((each) => [each.id, each.scrollLeft])),
  };
}

function restore(kept) {
  kept.open.forEach((open, id) => { const each = document.getElementById(id); if (each) each.open = open; });
  kept.left.forEach((left, id) => { const each = document.getElementById(id); if (each) each.scrollLeft = left; });
  if (kept.focus) document.getElementById(kept.focus)?.focus({ preventScroll: true });
}

function tell(message) {
  if (freshness.textContent !== message) freshness.textContent = message;
  freshness.classList.toggle("stale", message !== "");
}

async function refresh() {
  if (busy()) return;
  try {
    const response = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
    if (response.status === 503) throw new Error("503");
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    const main = fresh.getElementById("main");
    if (!main || busy()) return;
    const old = document.getElementById("main");
    const kept = keep(old);
    old.replaceWith(document.adoptNode(main));
    restore(kept);
    document.title = fresh.title;
    failing = false;
    tell("");
  } catch {
    if (!failing) tell(`no answer since ${new Date().toISOString().slice(11, 19)} UTC; what you see is older`);
    failing = true;
  }
}

setInterval(refresh, PERIOD_MS);
document.addEventListener("visibilitychange", refresh);
