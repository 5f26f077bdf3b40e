// Istio's workload discovery (WDS) over delta ADS, both ends, as decisions.
//
// In go protobuf messages and model changes; out come model changes, acknowledgements and responses.
// Never here: gRPC, a socket, a clock, randomness.
