// Package filter has Jinja's filters and tests.
//
// Of Jinja's filters, random, pprint, urlize, wordwrap and striptags are missing: a template that names them is refused
// like one with an unknown filter.
package filter
