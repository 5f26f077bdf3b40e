// The gRPC services between a control plane and its nodes: discovery (delta ADS) and certificates.
//
// In go addresses, credentials and messages; out come streams and answers, both ends of them.
// `DiscoveryClient`'s and `DiscoveryServer`'s decisions are in XDS: here is only the carrying.
// Never here: which resource somebody gets, who may have which certificate, when to try again.
