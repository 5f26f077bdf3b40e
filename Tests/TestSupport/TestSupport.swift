// What tests of several targets share: which of them can run, how many at once, and their source of
// chance.
