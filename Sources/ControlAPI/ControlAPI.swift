// The gRPC services between a control plane and its nodes: discovery (ADS) and certificates.
//
// In go addresses, credentials and messages; out come streams and answers.
