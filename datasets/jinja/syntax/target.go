package syntax

import "slices"

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
