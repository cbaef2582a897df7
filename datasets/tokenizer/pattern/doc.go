// Package pattern matches the regular expressions of tokenizer files.
//
// Hugging Face's tokenizers read them with Oniguruma in its Ruby syntax. Compile translates what published tokenizers
// use of it: alternatives in order, groups, greedy, lazy and possessive repetition, character classes with properties,
// ranges, nesting and intersection, (?i:…) with Unicode's simple case folding, anchors, and looking ahead and behind.
// Backreferences, captures that are read again, loops around what may be empty, and looking ahead without a limit are
// refused by name.
//
// Neither Go's regexp (no lookahead) nor a port of .NET's expressions (no possessive repetition, no intersection of
// classes, other case folding, and only a clock to end a slow match) gives the same words. Here a match is backtracking
// over a small program, and what has failed once at a place is not tried there again: Scan takes time in proportion to
// the length of the text times that of the pattern, whatever the two are.
package pattern
