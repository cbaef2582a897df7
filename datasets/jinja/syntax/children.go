package syntax

// children returns the parts of a node in the order in which Jinja visits them.
func children(node Node) []Node {
	switch node := node.(type) {
	case *Output:
		return node.Parts
	case *If:
		all := append([]Node{node.Test}, node.Body...)
		for _, elif := range node.Elif {
			all = append(all, elif)
		}
		return append(all, node.Else...)
	case *For:
		all := append([]Node{node.Target, node.Iter}, node.Body...)
		return present(append(append(all, node.Else...), node.Test)...)
	case *Macro:
		return macroChildren(node)
	case *CallBlock:
		if node.Call == nil {
			return macroChildren(node.Body)
		}
		return append([]Node{node.Call}, macroChildren(node.Body)...)
	case *FilterBlock:
		return append(append([]Node{}, node.Body...), node.Filter)
	case *With:
		return append(append(append([]Node{}, node.Targets...), node.Values...), node.Body...)
	case *Assign:
		return []Node{node.Target, node.Value}
	case *AssignBlock:
		all := []Node{node.Target}
		if node.Filter != nil {
			all = append(all, node.Filter)
		}
		return append(all, node.Body...)
	case *Block:
		return node.Body
	case *Do:
		return []Node{node.Expr}
	}
	return operands(node)
}

func macroChildren(node *Macro) []Node {
	var all []Node
	for _, arg := range node.Args {
		all = append(all, arg)
	}
	return append(append(all, node.Defaults...), node.Body...)
}

// operands returns the parts of an expression.
func operands(node Node) []Node {
	switch node := node.(type) {
	case *Tuple:
		return node.Items
	case *List:
		return node.Items
	case *Dict:
		var all []Node
		for i, key := range node.Keys {
			all = append(all, key, node.Values[i])
		}
		return all
	case *Binary:
		return []Node{node.Left, node.Right}
	case *Logic:
		return []Node{node.Left, node.Right}
	case *Unary:
		return []Node{node.Operand}
	case *Compare:
		return append([]Node{node.First}, node.Operands...)
	case *Concat:
		return node.Parts
	case *Cond:
		return present(node.Test, node.Then, node.Else)
	case *GetAttr:
		return []Node{node.Of}
	case *GetItem:
		return []Node{node.Of, node.Arg}
	case *Slice:
		return present(node.Start, node.Stop, node.Step)
	case *Call:
		return append([]Node{node.Func}, node.Args.all()...)
	case *Filter:
		return append(present(node.Of), node.Args.all()...)
	case *Test:
		return append([]Node{node.Of}, node.Args.all()...)
	}
	return nil
}

func (a Arguments) all() []Node {
	all := append(append([]Node{}, a.Positional...), a.Named...)
	return append(all, present(a.Star, a.StarStar)...)
}

// present returns the nodes that are not nil.
func present(nodes ...Node) []Node {
	var all []Node
	for _, n := range nodes {
		if n != nil {
			all = append(all, n)
		}
	}
	return all
}

// uses reports which of the names are loaded in nodes before they are assigned there.
func uses(nodes []Node, names ...string) map[string]bool {
	wanted, found := map[string]bool{}, map[string]bool{}
	for _, name := range names {
		wanted[name] = true
	}
	var visit func(Node)
	visit = func(node Node) {
		switch node := node.(type) {
		case *Name:
			if node.Store || node.Param {
				delete(wanted, node.Name)
			} else if wanted[node.Name] {
				found[node.Name] = true
			}
		case *Block:
		default:
			for _, child := range children(node) {
				visit(child)
			}
		}
	}
	for _, node := range nodes {
		visit(node)
	}
	return found
}

// walk calls f with a node and everything in it.
func walk(node Node, f func(Node)) {
	f(node)
	for _, child := range children(node) {
		walk(child, f)
	}
}
