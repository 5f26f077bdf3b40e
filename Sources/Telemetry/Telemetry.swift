// How our programs say what they do: log lines, metrics, tables for people.
//
// In go values; out come lines on standard output, Prometheus text, aligned columns.
// Never here: what is worth saying.
