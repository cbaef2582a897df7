// Package jinja renders Jinja templates with the meaning that they have in Python's jinja2 3.1: values print, compare
// and sort as in Python, names follow Jinja's scopes, and what is an error there is an error here. Chat templates and
// the task files of evaluation are written in this language.
//
// Templates come with downloads and are not trusted. They see only the variables and functions that they are given,
// cannot change them, and have no side effects. Every evaluated node, iteration, item and character is counted, so that
// a rendering ends in bounded time and memory, and within that when its context ends. Bounds grow with the size of the
// variables. There is no loader: the tags include, import, from and extends are refused, and so is autoescape.
//
// The packages below have the parts: syntax reads a source, value has Python's values, method their attributes, filter
// the filters and tests. This package walks the tree.
package jinja
