// Package operator has Python's operators on values, and its ways of formatting them: the operator % and the method
// format of texts, and json.dumps.
package operator
