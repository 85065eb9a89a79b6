"""The stream processor: contracts, panes, profiles, the judge, and the Faust stages around them."""
