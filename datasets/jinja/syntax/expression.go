package syntax

import "slices"

// expression reads an expression with inline ifs.
func (p *parser) expression() Node {
	p.enter()
	defer p.leave()
	line := p.current().line
	node := p.or()
	for p.skipName("if") {
		cond := &Cond{Line: line, Test: p.or(), Then: node}
		if p.skipName("else") {
			cond.Else = p.expression()
		}
		node, line = cond, p.current().line
	}
	return node
}

func (p *parser) or() Node {
	left := p.and()
	for p.skipName("or") {
		left = &Logic{"or", left, p.and()}
	}
	return left
}

func (p *parser) and() Node {
	left := p.not()
	for p.skipName("and") {
		left = &Logic{"and", left, p.not()}
	}
	return left
}

func (p *parser) not() Node {
	if line := p.current().line; p.skipName("not") {
		p.enter()
		defer p.leave()
		return &Unary{line, "not", p.not()}
	}
	return p.compare()
}

func (p *parser) compare() Node {
	node := &Compare{Line: p.current().line, First: p.sum()}
	for {
		op := p.current().kind
		switch {
		case slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, op):
			p.next()
		case p.skipName("in"):
			op = "in"
		case p.current().is("not") && p.look().is("in"):
			p.next()
			p.next()
			op = "not in"
		case len(node.Ops) == 0:
			return node.First
		default:
			return node
		}
		node.Ops, node.Operands = append(node.Ops, op), append(node.Operands, p.sum())
	}
}

// chain reads operands that are joined by some operators, from the left.
func (p *parser) chain(operand func() Node, ops ...string) Node {
	left := operand()
	for slices.Contains(ops, p.current().kind) {
		t := p.next()
		left = &Binary{t.line, t.kind, left, operand()}
	}
	return left
}

func (p *parser) sum() Node { return p.chain(p.concat, "+", "-") }

func (p *parser) concat() Node {
	line := p.current().line
	parts := []Node{p.product()}
	for p.skip("~") {
		parts = append(parts, p.product())
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return &Concat{line, parts}
}

func (p *parser) product() Node { return p.chain(p.power, "*", "/", "//", "%") }

func (p *parser) power() Node { return p.chain(func() Node { return p.unary(true) }, "**") }

func (p *parser) unary(withFilter bool) Node {
	var node Node
	if t := p.current(); t.kind == "-" || t.kind == "+" {
		p.enter()
		p.next()
		node = &Unary{t.line, t.kind, p.unary(false)}
		p.leave()
	} else {
		node = p.primary(false)
	}
	node = p.postfix(node)
	if withFilter {
		node = p.filtered(node)
	}
	return node
}
