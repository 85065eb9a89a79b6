"""Apache Kafka in the foreground, for benchmarks and for looking at things by hand; Ctrl-C ends it.

    python tests/support/run_kafka.py

It prints the address for DRIFTLINE_KAFKA. The jars are those of `make kafka`, or of DRIFTLINE_TEST_KAFKA_LIBS.
"""

import signal

from brokers import KafkaBroker, kafka_libs


def main() -> None:
    with KafkaBroker(kafka_libs()) as broker:
        print(broker.bootstrap, flush=True)
        # From here on only: what is blocked before it starts is blocked for the broker as well.
        ending = {signal.SIGINT, signal.SIGTERM}
        signal.pthread_sigmask(signal.SIG_BLOCK, ending)
        signal.sigwait(ending)


if __name__ == "__main__":
    main()
