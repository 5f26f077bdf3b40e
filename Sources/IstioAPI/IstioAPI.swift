// Messages of Istio's and Envoy's public APIs, generated from proto/ by `make proto`.
//
// Nothing in here is written by hand but this file.
