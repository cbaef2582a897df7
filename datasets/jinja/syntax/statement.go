package syntax

import "slices"

// statement reads a tag, from its name on.
func (p *parser) statement() Node {
	t := p.current()
	if t.kind != kindName {
		fail(t.line, "tag name expected")
	}
	p.enter()
	p.tags = append(p.tags, t.text)
	open := len(p.tags)
	defer func() {
		p.leave()
		p.tags = p.tags[:open-1]
	}()
	p.next()
	if node := p.optional(t); node != nil {
		return node
	}
	switch t.text {
	case "for":
		return p.forLoop(t.line)
	case "if":
		return p.ifChain(t.line)
	case "set":
		return p.set(t.line)
	case "macro":
		return p.macro(t.line)
	case "call":
		return p.callBlock(t.line)
	case "filter":
		filter := p.filter(nil, true).(*Filter)
		return &FilterBlock{Line: t.line, Filter: filter, Body: p.closedBlock("endfilter")}
	case "with":
		return p.with(t.line)
	case "print":
		return p.print(t.line)
	case "block":
		return p.namedBlock(t.line)
	case "include", "import", "from", "extends", "autoescape":
		fail(t.line, "the tag '%s' is not supported", t.text)
	}
	p.tags = p.tags[:open-1]
	p.failUnknown(t.text, t.line)
	return nil
}

// optional reads a tag that the options allow; nil means another tag.
func (p *parser) optional(t token) Node {
	switch {
	case t.text == "break" && p.options.LoopControls:
		return &Break{t.line}
	case t.text == "continue" && p.options.LoopControls:
		return &Continue{t.line}
	case t.text == "do" && p.options.Do:
		return &Do{t.line, p.tuple(tupleRules{conditions: true})}
	case t.text == "generation" && p.options.Generation:
		return &CallBlock{Line: t.line, Body: &Macro{Line: t.line, Body: p.closedBlock("endgeneration")}}
	}
	return nil
}

func (p *parser) forLoop(line int) Node {
	node := &For{Line: line, Target: p.target(targetRules{tuple: true, end: "in"})}
	p.expectName("in")
	node.Iter = p.tuple(tupleRules{end: "recursive"})
	if p.skipName("if") {
		node.Test = p.expression()
	}
	node.Recursive = p.skipName("recursive")
	node.Body = p.block("endfor", "else")
	if p.next().text == "else" {
		node.Else = p.closedBlock("endfor")
	}
	return node
}

func (p *parser) ifChain(line int) Node {
	result := &If{Line: line}
	for node := result; ; {
		node.Test = p.tuple(tupleRules{})
		node.Body = p.block("elif", "else", "endif")
		switch t := p.next(); t.text {
		case "elif":
			node = &If{Line: t.line}
			result.Elif = append(result.Elif, node)
		case "else":
			result.Else = p.closedBlock("endif")
			return result
		default:
			return result
		}
	}
}

func (p *parser) set(line int) Node {
	target := p.target(targetRules{tuple: true, namespace: true})
	if p.skip("=") {
		return &Assign{Line: line, Target: target, Value: p.tuple(tupleRules{conditions: true})}
	}
	node := &AssignBlock{Line: line, Target: target}
	node.Filter, _ = p.filter(nil, false).(*Filter)
	node.Body = p.closedBlock("endset")
	return node
}

func (p *parser) with(line int) Node {
	node := &With{Line: line}
	for p.current().kind != kindBlockEnd {
		if len(node.Targets) > 0 {
			p.expect(",")
		}
		target := p.target(targetRules{tuple: true})
		markTarget(target, func(n *Name) { n.Store, n.Param = false, true })
		node.Targets = append(node.Targets, target)
		p.expect("=")
		node.Values = append(node.Values, p.expression())
	}
	node.Body = p.closedBlock("endwith")
	return node
}

func (p *parser) print(line int) Node {
	node := &Output{Line: line}
	for p.current().kind != kindBlockEnd {
		if len(node.Parts) > 0 {
			p.expect(",")
		}
		node.Parts = append(node.Parts, p.expression())
	}
	return node
}

func (p *parser) namedBlock(line int) Node {
	node := &Block{Line: line, Name: p.expect(kindName).text}
	node.Scoped = p.skipName("scoped")
	node.Required = p.skipName("required")
	if p.current().kind == "-" {
		fail(line, "block names may not contain hyphens")
	}
	if node.Required {
		fail(line, "required blocks are not supported, since there is no inheritance")
	}
	node.Body = p.closedBlock("endblock")
	p.skipName(node.Name)
	return node
}

func (p *parser) macro(line int) Node {
	name, _ := p.target(targetRules{nameOnly: true}).(*Name)
	node := &Macro{Line: line, Name: name.Name}
	p.signature(node)
	node.Body = p.closedBlock("endmacro")
	return node
}

// signature reads the arguments of a macro.
func (p *parser) signature(node *Macro) {
	p.expect("(")
	for p.current().kind != ")" {
		if len(node.Args) > 0 {
			p.expect(",")
		}
		arg, _ := p.target(targetRules{nameOnly: true}).(*Name)
		arg.Store, arg.Param = false, true
		if p.skip("=") {
			node.Defaults = append(node.Defaults, p.expression())
		} else if len(node.Defaults) > 0 {
			fail(arg.Line, "non-default argument follows default argument")
		}
		if slices.ContainsFunc(node.Args, func(n *Name) bool { return n.Name == arg.Name }) {
			fail(arg.Line, "duplicate argument '%s' of a macro", arg.Name)
		}
		node.Args = append(node.Args, arg)
	}
	p.expect(")")
}

func (p *parser) callBlock(line int) Node {
	body := &Macro{Line: line}
	if p.current().kind == "(" {
		p.signature(body)
	}
	call, ok := p.expression().(*Call)
	if !ok {
		fail(line, "expected call")
	}
	body.Body = p.closedBlock("endcall")
	return &CallBlock{Line: line, Call: call, Body: body}
}

// targetRules say what may be assigned to.
type targetRules struct {
	tuple, nameOnly, namespace bool
	end                        string // a name that ends a tuple
}

// target reads what is assigned to.
func (p *parser) target(rules targetRules) Node {
	line := p.current().line
	var target Node
	if rules.nameOnly {
		t := p.expect(kindName)
		target = &Name{Line: t.line, Name: t.text}
	} else {
		target = p.tuple(tupleRules{simple: true, namespace: rules.namespace, end: rules.end})
	}
	if !canAssign(target) {
		fail(line, "can't assign to this expression; only names and attributes of namespaces are assignable")
	}
	markTarget(target, func(n *Name) { n.Store = true })
	return target
}

func canAssign(node Node) bool {
	switch node := node.(type) {
	case *Name:
		return !slices.Contains([]string{"true", "false", "none", "True", "False", "None"}, node.Name)
	case *NamespaceRef:
		return true
	case *Tuple:
		return !slices.ContainsFunc(node.Items, func(n Node) bool { return !canAssign(n) })
	}
	return false
}

// markTarget calls mark with the names of a target.
func markTarget(target Node, mark func(*Name)) {
	switch target := target.(type) {
	case *Name:
		mark(target)
	case *Tuple:
		for _, item := range target.Items {
			markTarget(item, mark)
		}
	}
}
