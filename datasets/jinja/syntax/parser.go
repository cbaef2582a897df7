package syntax

import (
	"fmt"
	"slices"
	"strings"
)

// The bounds of a template. Jinja itself fails beyond similar ones: Python limits nested brackets and blocks.
const (
	maxSource = 256 << 10 // bytes
	maxNested = 120       // expressions in brackets, and blocks, in one another
	maxHeight = 450       // of an expression with chains such as a + b + c
)

// parser turns tokens into a tree.
type parser struct {
	tokens  []token
	at      int
	options Options
	depth   int
	tags    []string   // that are open
	ends    [][]string // what the open tags wait for
}

// Parse reads a template and resolves its variables. Errors are of type *Error.
func Parse(source string, options Options, names Known) (t *Template, err error) {
	defer catch(&err)
	p, err := newParser(source, options)
	if err != nil {
		return nil, err
	}
	return resolve(p.body(nil), names), nil
}

// ParseExpression reads a source that consists of one {{ expression }} and white space around it.
func ParseExpression(source string, options Options, names Known) (t *Template, err error) {
	defer catch(&err)
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

func newParser(source string, options Options) (*parser, error) {
	if len(source) > maxSource {
		return nil, &Error{1, fmt.Sprintf("the template has %d bytes, more than %d", len(source), maxSource)}
	}
	return &parser{tokens: tokenize(strings.ToValidUTF8(source, "\ufffd"), options), options: options}, nil
}

// catch turns the panic of fail into an error.
func catch(err *error) {
	switch p := recover().(type) {
	case nil:
	case *Error:
		*err = p
	default:
		panic(p)
	}
}

func (p *parser) current() token { return p.tokens[p.at] }

// look returns the token after the current one.
func (p *parser) look() token { return p.tokens[min(p.at+1, len(p.tokens)-1)] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if p.at < len(p.tokens)-1 {
		p.at++
	}
	return t
}

// skip takes the current token if it is of a kind.
func (p *parser) skip(kind string) bool {
	if p.current().kind == kind {
		p.next()
		return true
	}
	return false
}

// skipName takes the current token if it is a certain name.
func (p *parser) skipName(name string) bool {
	if p.current().is(name) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expect(kind string) token {
	t := p.current()
	if t.kind == kind {
		return p.next()
	}
	if t.kind == kindEOF {
		fail(t.line, "unexpected end of template, expected '%s'.", kind)
	}
	fail(t.line, "expected token '%s', got '%s'", kind, t.describe())
	return t
}

func (p *parser) expectName(name string) token {
	if t := p.current(); !t.is(name) {
		fail(t.line, "expected token '%s', got '%s'", name, t.describe())
	}
	return p.next()
}

// enter counts nested expressions and blocks; leave must follow.
func (p *parser) enter() {
	if p.depth++; p.depth > maxNested {
		fail(p.current().line, "expressions or blocks nest deeper than %d", maxNested)
	}
}

func (p *parser) leave() { p.depth-- }

// body reads statements up to one of the names in ends, which becomes the current token, or to the end of the template.
func (p *parser) body(ends []string) []Node {
	if ends != nil {
		p.ends = append(p.ends, ends)
		defer func() { p.ends = p.ends[:len(p.ends)-1] }()
	}
	nodes := []Node{}
	var output *Output
	add := func(line int, part Node) {
		if output == nil {
			output = &Output{Line: line}
			nodes = append(nodes, output)
		}
		output.Parts = append(output.Parts, part)
	}
	for {
		switch t := p.next(); t.kind {
		case kindEOF:
			if ends != nil {
				p.failUnknown("", t.line)
			}
			return nodes
		case kindData:
			add(t.line, &Data{t.text})
		case kindVariableBegin:
			add(t.line, p.tuple(tupleRules{conditions: true}))
			p.expect(kindVariableEnd)
		case kindBlockBegin:
			output = nil
			if tag := p.current(); tag.kind == kindName && slices.Contains(ends, tag.text) {
				return nodes
			}
			nodes = append(nodes, p.statement())
			p.expect(kindBlockEnd)
		}
	}
}

// block reads the body of a tag up to one of its end tags, whose name is the current token then.
func (p *parser) block(ends ...string) []Node {
	p.skip(":")
	p.expect(kindBlockEnd)
	return p.body(ends)
}

// closedBlock reads the body of a tag and the name of its end tag.
func (p *parser) closedBlock(end string) []Node {
	nodes := p.block(end)
	p.next()
	return nodes
}

// failUnknown fails at a tag that does not belong where it is, or at the end of the template if name is empty.
func (p *parser) failUnknown(name string, line int) {
	message := "Unexpected end of template."
	if name != "" {
		message = fmt.Sprintf("Encountered unknown tag '%s'.", name)
	}
	if len(p.ends) > 0 {
		message += fmt.Sprintf(" Jinja was looking for the following tags: '%s'.",
			strings.Join(p.ends[len(p.ends)-1], "' or '"))
	}
	if len(p.tags) > 0 {
		message += fmt.Sprintf(" The innermost block that needs to be closed is '%s'.", p.tags[len(p.tags)-1])
	}
	fail(line, "%s", message)
}
