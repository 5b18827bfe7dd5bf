// Package house holds the rules of the house as tests: which room may import which, how large a file, function or
// interface may grow, what money must not be made of, which modules may be linked, what a text must not name. It is not
// a linter of style in general: gofmt, vet and the linters see to that.
//
// Invariants: every rule is a function over a tree of files; it is run on the real tree, which must be clean, and on a
// small bad tree in testdata, where it must find exactly what is listed there. So no rule can pass by being blind. The
// package has no product code and nothing imports it.
package house
