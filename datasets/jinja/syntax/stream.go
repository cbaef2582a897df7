package syntax

// The bounds of a template. Jinja itself fails beyond similar ones: Python limits nested brackets and blocks.
const (
	maxSource = 256 << 10 // bytes
	maxNested = 120       // expressions in brackets, and blocks, in one another
)

// parser turns tokens into a tree.
type parser struct {
	tokens  []token
	at      int
	options Options
	depth   int
	nested  func(conditions bool) Node // reads an expression, with or without inline ifs
	tags    []string                   // that are open
	ends    [][]string                 // what the open tags wait for
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
