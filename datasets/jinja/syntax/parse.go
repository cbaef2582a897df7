package syntax

import (
	"fmt"
	"strings"
)

// Parse reads a template and resolves its variables. Errors are of type *Error.
func Parse(source string, options Options, names Known) (t *Template, err error) {
	defer func() { err = caught(recover(), err) }()
	p, err := newParser(source, options)
	if err != nil {
		return nil, err
	}
	return resolve(p.body(nil), names), nil
}

// ParseExpression reads a source that consists of one {{ expression }} and white space around it.
func ParseExpression(source string, options Options, names Known) (t *Template, err error) {
	defer func() { err = caught(recover(), err) }()
	p, err := newParser(strings.TrimSpace(source), options)
	if err != nil {
		return nil, err
	}
	body := p.body(nil)
	output, ok := body[0].(*Output)
	if len(body) != 1 || !ok || len(output.Parts) != 1 {
		fail(1, "want one {{ expression }}")
	}
	if _, isText := output.Parts[0].(*Data); isText {
		fail(1, "want one {{ expression }}")
	}
	return resolve(body, names), nil
}

// Reads reports whether a template uses a variable or function of this name, other than to set it.
func (t *Template) Reads(name string) bool {
	found := false
	for _, node := range t.Body {
		walk(node, func(node Node) {
			used, ok := node.(*Name)
			found = found || ok && used.Name == name && !used.Store
		})
	}
	return found
}

func newParser(source string, options Options) (*parser, error) {
	if len(source) > maxSource {
		return nil, &Error{1, fmt.Sprintf("the template has %d bytes, more than %d", len(source), maxSource)}
	}
	p := &parser{tokens: tokenize(strings.ToValidUTF8(source, "\ufffd"), options), options: options}
	p.nested = func(conditions bool) Node {
		if conditions {
			return p.expression()
		}
		return p.or()
	}
	return p, nil
}

// caught returns the error of a panic of fail, or err if there was none.
func caught(p any, err error) error {
	switch p := p.(type) {
	case nil:
		return err
	case *Error:
		return p
	}
	panic(p)
}
