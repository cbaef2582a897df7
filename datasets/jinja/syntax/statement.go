package syntax

import (
	"fmt"
	"slices"
	"strings"
)

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
