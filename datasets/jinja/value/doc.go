// Package value has Python's values as templates see them: texts of characters, whole numbers of any size, ordered
// dicts, tuples, lazy generators, and the rules by which Python prints, compares, orders, adds and formats them.
//
// A Value is nil (None), bool, int64, *big.Int (beyond int64), float64, string, Markup, *List, *Tuple, *Dict, *View,
// *Range, *Generator, *Namespace, *Undefined, *Function, or another Object. Lists and dicts never change once a
// template can see them; only namespaces do.
//
// Whatever takes time or memory is charged to a Meter, which belongs to one rendering. Functions panic with a *Failure
// where Python raises an exception or a bound is exceeded; package jinja turns it into an error.
package value
