// Package jinja renders Jinja templates with the meaning that they have in Python's jinja2 3.1: values print, compare
// and sort as in Python, names follow Jinja's scopes, and what is an error there is an error here. Chat templates and
// the task files of evaluation are written in this language.
//
// Templates come with downloads and are not trusted. They see only the variables and functions that they are given,
// cannot change them, and have no side effects. Every evaluated node, iteration, item and character is counted, so that
// a rendering ends in bounded time and memory, and within that when its context ends. Bounds grow with the size of the
// variables. There is no loader: the tags include, import, from and extends are refused, and so is autoescape.
//
// TestPublished compares this package with jinja2 3.1.6, set up as transformers 5.24 does, on 161 chat templates of 14
// published packages, each with 18 dialogues with and without a generation prompt. Of the 5796 cases 4263 are
// equal and both sides refuse 1533; refused here alone: 0, refused there alone: 0, silently different: 0. Of the
// templates 151 render; ten are fragments of templates. The test prints these counts and fails where a case is
// refused there alone or differs, or where more than 0.5 % are refused here alone:
//
//	python3 testdata/gather_templates.py DIR
//	BFPO_PEER_PYTHON=python3 BFPO_TEMPLATES=DIR/templates go test -run TestPublished -v .
//
// The packages below have the parts: syntax reads a source, value has Python's values, method their attributes, filter
// the filters and tests. This package walks the tree.
package jinja
