// DNS as the mesh answers it: names of services and pods, from the model.
//
// In go query bytes and the model; out come answers, or the decision to ask the pod's own resolver.
// Never here: a socket, a clock, randomness.
