// Package syntax reads Jinja templates: the tokens of a source become a tree (Parse), and a resolver gives every
// variable of the tree its place.
//
// Jinja compiles a template to Python functions, and the rules of Python's scopes decide what a macro sees, what a loop
// leaves behind and which name a block inherits. The resolver therefore follows Jinja's compiler: it finds the same
// functions (the template, macros, call blocks, recursive loops, loop filters and blocks) with the same local
// variables, and says what is loaded when a scope is entered and forgotten when it is left.
package syntax
