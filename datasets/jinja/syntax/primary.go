package syntax

import "slices"

func (p *parser) primary(namespace bool) Node {
	t := p.next()
	switch t.kind {
	case kindName:
		return p.name(t, namespace)
	case kindString:
		text := t.text
		for p.current().kind == kindString {
			text += p.next().text
		}
		return &Const{text}
	case kindInteger, kindFloat:
		return &Const{t.value}
	case "(":
		node := p.tuple(tupleRules{conditions: true, parentheses: true})
		p.expect(")")
		return node
	case "[":
		return &List{p.items("]")}
	case "{":
		return p.dict()
	}
	fail(t.line, "unexpected '%s'", t.describe())
	return nil
}

func (p *parser) name(t token, namespace bool) Node {
	switch t.text {
	case "true", "True", "false", "False":
		return &Const{t.text == "true" || t.text == "True"}
	case "none", "None":
		return &Const{nil}
	}
	if namespace && p.skip(".") {
		return &NamespaceRef{Line: t.line, Name: t.text, Attr: p.expect(kindName).text}
	}
	return &Name{Line: t.line, Name: t.text}
}

// tupleRules say how a tuple without brackets of its own is read.
type tupleRules struct {
	simple      bool   // names and literals only
	conditions  bool   // inline ifs are read
	parentheses bool   // it is in parentheses, so it may be empty
	namespace   bool   // attributes of namespaces are read
	end         string // a name that ends it
}

// tuple reads an expression, or several with commas between them.
func (p *parser) tuple(rules tupleRules) Node {
	items, isTuple := []Node{}, false
	for {
		if len(items) > 0 {
			p.expect(",")
		}
		t := p.current()
		if slices.Contains([]string{kindVariableEnd, kindBlockEnd, ")"}, t.kind) || rules.end != "" && t.is(rules.end) {
			break
		}
		switch {
		case rules.simple:
			items = append(items, p.primary(rules.namespace))
		default:
			items = append(items, p.nested(rules.conditions))
		}
		if p.current().kind != "," {
			break
		}
		isTuple = true
	}
	if !isTuple {
		if len(items) > 0 {
			return items[0]
		}
		if !rules.parentheses {
			fail(p.current().line, "Expected an expression, got '%s'", p.current().describe())
		}
	}
	return &Tuple{items}
}

// items reads expressions with commas between them, and the closing bracket.
func (p *parser) items(end string) []Node {
	items := []Node{}
	for p.current().kind != end {
		if len(items) > 0 {
			p.expect(",")
		}
		if p.current().kind == end {
			break
		}
		items = append(items, p.nested(true))
	}
	p.expect(end)
	return items
}

func (p *parser) dict() Node {
	node := &Dict{}
	for p.current().kind != "}" {
		if len(node.Keys) > 0 {
			p.expect(",")
		}
		if p.current().kind == "}" {
			break
		}
		node.Keys = append(node.Keys, p.nested(true))
		p.expect(":")
		node.Values = append(node.Values, p.nested(true))
	}
	p.expect("}")
	return node
}

// postfix reads attributes, items and calls.
func (p *parser) postfix(node Node) Node {
	for {
		switch t := p.current(); t.kind {
		case ".":
			p.next()
			node = p.attribute(node, t.line)
		case "[":
			p.next()
			node = p.item(node, t.line)
		case "(":
			node = &Call{t.line, node, p.arguments()}
		default:
			return node
		}
	}
}

func (p *parser) attribute(node Node, line int) Node {
	switch t := p.next(); t.kind {
	case kindName:
		return &GetAttr{line, node, t.text}
	case kindInteger:
		return &GetItem{line, node, &Const{t.value}}
	default:
		fail(t.line, "expected name or number")
		return nil
	}
}

func (p *parser) item(node Node, line int) Node {
	args := []Node{}
	for p.current().kind != "]" {
		if len(args) > 0 {
			p.expect(",")
		}
		args = append(args, p.subscript())
	}
	p.expect("]")
	if len(args) == 1 {
		return &GetItem{line, node, args[0]}
	}
	for _, arg := range args {
		if _, isSlice := arg.(*Slice); isSlice {
			fail(line, "a slice cannot be part of a tuple")
		}
	}
	return &GetItem{line, node, &Tuple{args}}
}

// subscript reads what is in brackets after a value: an expression or a slice.
func (p *parser) subscript() Node {
	slice := &Slice{}
	ends := []string{":", "]", ","}
	if p.current().kind != ":" {
		slice.Start = p.nested(true)
	}
	if !p.skip(":") {
		return slice.Start
	}
	if !slices.Contains(ends, p.current().kind) {
		slice.Stop = p.nested(true)
	}
	if p.skip(":") && !slices.Contains(ends[1:], p.current().kind) {
		slice.Step = p.nested(true)
	}
	return slice
}

// arguments reads the arguments of a call with their parentheses.
func (p *parser) arguments() (args Arguments) {
	line := p.expect("(").line
	ensure := func(ok bool) {
		if !ok {
			fail(line, "invalid syntax for function call expression")
		}
	}
	for first := true; p.current().kind != ")"; first = false {
		if !first {
			p.expect(",")
			if p.current().kind == ")" {
				break
			}
		}
		switch t := p.current(); {
		case t.kind == "*":
			ensure(args.Star == nil && args.StarStar == nil)
			p.next()
			args.Star = p.nested(true)
		case t.kind == "**":
			ensure(args.StarStar == nil)
			p.next()
			args.StarStar = p.nested(true)
		case t.kind == kindName && p.look().kind == "=":
			ensure(args.StarStar == nil && !slices.Contains(args.Names, t.text))
			p.next()
			p.next()
			args.Names, args.Named = append(args.Names, t.text), append(args.Named, p.nested(true))
		default:
			ensure(args.Star == nil && args.StarStar == nil && len(args.Names) == 0)
			args.Positional = append(args.Positional, p.nested(true))
		}
	}
	p.expect(")")
	return args
}

// filtered reads filters, tests and calls of their results.
func (p *parser) filtered(node Node) Node {
	for {
		switch t := p.current(); {
		case t.kind == "|":
			node = p.filter(node, false)
		case t.is("is"):
			node = p.test(node)
		case t.kind == "(":
			node = &Call{t.line, node, p.arguments()}
		default:
			return node
		}
	}
}

// dotted reads a name with dots in it.
func (p *parser) dotted() token {
	t := p.expect(kindName)
	for p.skip(".") {
		t.text += "." + p.expect(kindName).text
	}
	return t
}

// filter reads filters; the first comes without | if inline.
func (p *parser) filter(node Node, inline bool) Node {
	for ; inline || p.current().kind == "|"; inline = false {
		if !inline {
			p.next()
		}
		t := p.dotted()
		filter := &Filter{Line: t.line, Of: node, Name: t.text}
		if p.current().kind == "(" {
			filter.Args = p.arguments()
		}
		node = filter
	}
	return node
}

// test reads a test from its "is" on. One argument may come without parentheses.
func (p *parser) test(node Node) Node {
	line := p.next().line
	negated := p.skipName("not")
	test := &Test{Line: line, Of: node, Name: p.dotted().text}
	t := p.current()
	switch {
	case t.kind == "(":
		test.Args = p.arguments()
	case t.is("is"):
		fail(t.line, "You cannot chain multiple tests with is")
	case slices.Contains([]string{kindName, kindString, kindInteger, kindFloat, "[", "{"}, t.kind) &&
		!t.is("else") && !t.is("or") && !t.is("and"):
		test.Args.Positional = []Node{p.postfix(p.primary(false))}
	}
	if negated {
		return &Unary{line, "not", test}
	}
	return test
}
