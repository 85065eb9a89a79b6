"""The Faust shells around the pure cores, one per stage; they own Kafka, Redis and the clock."""
