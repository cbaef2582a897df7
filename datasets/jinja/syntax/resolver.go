package syntax

// resolver gives the variables of a tree their places.
type resolver struct {
	known  Known
	blocks map[string]*Block
	order  []*Block
}

// resolve finishes a tree.
func resolve(body []Node, known Known) *Template {
	r := &resolver{known: known, blocks: map[string]*Block{}}
	for _, node := range body {
		walk(node, r.collect)
	}
	refuseSelf(body)
	root := &frame{symbols: newSymbols(nil), fn: newFunction(nil), topLevel: true}
	root.symbols.analyze(body...)
	t := &Template{Body: body, Func: root.fn.node, HasBlocks: len(r.order) > 0}
	t.Scope = root.scope(false)
	r.statements(body, root)
	for _, block := range r.order {
		refuseSelf(block.Body)
		f := &frame{symbols: newSymbols(nil), fn: newFunction(nil), inBlock: true}
		f.symbols.analyze(block.Body...)
		block.Func, block.Scope = f.fn.node, f.scope(false)
		r.statements(block.Body, f)
	}
	return t
}

func (r *resolver) collect(node Node) {
	block, ok := node.(*Block)
	if !ok {
		return
	}
	if r.blocks[block.Name] != nil {
		fail(block.Line, "block '%s' defined twice", block.Name)
	}
	r.blocks[block.Name] = block
	r.order = append(r.order, block)
}

// refuseSelf refuses the variables self and super, which stand for the blocks of a template and of its parent.
func refuseSelf(body []Node) {
	for name := range uses(body, "self", "super") {
		if name == "self" {
			fail(1, "the variable 'self' is not supported")
		}
	}
}

func (r *resolver) statements(nodes []Node, f *frame) {
	for _, node := range nodes {
		r.statement(node, f)
	}
}

func (r *resolver) statement(node Node, f *frame) {
	switch node := node.(type) {
	case *Output:
		for _, part := range node.Parts {
			r.expression(part, f, 0)
		}
	case *If:
		r.ifChain(node, f)
	case *For:
		r.loop(node, f)
	case *Macro:
		r.macro(node, f)
		node.TopLevel = f.topLevel
		node.Ref = f.ref(node.Name, node.Line)
	case *CallBlock:
		r.macro(node.Body, f)
		if node.Call != nil {
			r.expression(node.Call, f, 0)
		}
	case *FilterBlock:
		inner := f.inner()
		inner.symbols.analyze(append(append([]Node{}, node.Body...), node.Filter)...)
		node.Scope = inner.scope(true)
		r.statements(node.Body, inner)
		r.expression(node.Filter, inner, 0)
	case *With:
		inner := f.inner()
		inner.symbols.analyze(node.Targets...)
		inner.symbols.analyze(node.Body...)
		node.Scope = inner.scope(true)
		for i, target := range node.Targets {
			r.expression(target, inner, 0)
			r.expression(node.Values[i], f, 0)
		}
		r.statements(node.Body, inner)
	case *Assign:
		r.expression(node.Target, f, 0)
		r.expression(node.Value, f, 0)
		node.Globals = globals(node.Target, f)
	case *AssignBlock:
		r.assignBlock(node, f)
	case *Block:
		node.Locals = map[string]Ref{}
		if node.Scoped {
			for name, identifier := range f.symbols.locals() {
				node.Locals[name] = f.fn.find(identifier)
			}
		}
	case *Do:
		r.expression(node.Expr, f, 0)
	case *Break:
		refuseOutside(f, "break", node.Line)
	case *Continue:
		refuseOutside(f, "continue", node.Line)
	}
}

func refuseOutside(f *frame, tag string, line int) {
	if f.fn.loops == 0 {
		fail(line, "'%s' outside loop", tag)
	}
}

// globals returns the names of a target that blocks see.
func globals(target Node, f *frame) (names []*Name) {
	if f.topLevel && !f.inLoop && !f.inBlock {
		markTarget(target, func(n *Name) { names = append(names, n) })
	}
	return names
}

func (r *resolver) assignBlock(node *AssignBlock, f *frame) {
	inner := f.inner()
	inner.symbols.analyze(node.Body...)
	node.Scope = inner.scope(true)
	r.statements(node.Body, inner)
	r.expression(node.Target, f, 0)
	if node.Filter != nil {
		r.expression(node.Filter, inner, 0)
	}
	node.Globals = globals(node.Target, f)
}

func (r *resolver) ifChain(node *If, f *frame) {
	soft := f.softly()
	r.expression(node.Test, soft, 0)
	r.statements(node.Body, soft)
	for _, elif := range node.Elif {
		r.expression(elif.Test, soft, 0)
		r.statements(elif.Body, soft)
	}
	r.statements(node.Else, soft)
}

func (r *resolver) loop(node *For, f *frame) {
	body, test, other := f.inner(), f.inner(), f.inner()
	body.inLoop = true
	node.Extended = node.Recursive || uses(node.Body, "loop")["loop"]
	walk(node, func(n Node) {
		switch n := n.(type) {
		case *Block:
			node.Extended = node.Extended || n.Scoped
		case *Name:
			if n.Store && n.Name == "loop" {
				fail(n.Line, "Can't assign to special loop variable in for-loop target")
			}
		}
	})
	if node.Extended {
		body.symbols.declare("loop")
	}
	body.symbols.visit(node.Target, true)
	body.symbols.analyze(node.Body...)
	other.symbols.analyze(node.Else...)
	if node.Test != nil {
		test.symbols.visit(node.Target, true)
		test.symbols.analyze(node.Test)
		r.filter(node, test, body)
	}
	if node.Recursive {
		body.fn = newFunction(f.fn)
		node.Func = body.fn.node
		other.fn = body.fn
	}
	r.body(node, body, f)
	node.ElseScope = other.scope(true)
	r.statements(node.Else, other)
	r.expression(node.Iter, f, 0)
}

// filter resolves a loop's filter, which is a function of its own.
func (r *resolver) filter(node *For, test, body *frame) {
	outer := test.fn
	test.fn = newFunction(outer)
	node.Filter = test.fn.node
	node.TestScope = test.scope(false)
	target := &frame{symbols: body.symbols, fn: test.fn}
	markTarget(node.Target, func(n *Name) { n.FilterRef = Ref{0, test.fn.local(target.symbols.find(n.Name))} })
	r.expression(node.Test, test, 0)
}

func (r *resolver) body(node *For, body, f *frame) {
	if body.fn.loops++; body.fn.loops > maxLoops {
		fail(node.Line, "loops nest deeper than %d", maxLoops)
	}
	node.BodyScope = body.scope(!node.Recursive || node.Else != nil)
	if node.Extended {
		node.Loop = body.ref("loop", node.Line)
	}
	r.expression(node.Target, body, 0)
	r.statements(node.Body, body)
	body.fn.loops--
}

func (r *resolver) macro(node *Macro, f *frame) {
	inner := f.inner()
	inner.fn = newFunction(f.fn)
	node.Func = inner.fn.node
	inner.symbols.analyze(macroChildren(node)...)
	used := uses(node.Body, "caller", "kwargs", "varargs")
	for i, arg := range node.Args {
		switch {
		case arg.Name == "caller" && used["caller"]:
			if i < len(node.Args)-len(node.Defaults) {
				fail(node.Line, `When defining macros or call blocks the special "caller" argument must be omitted `+
					`or be given a default.`)
			}
			node.TakesCaller = true
			used["caller"] = false
		case arg.Name == "kwargs" || arg.Name == "varargs":
			used[arg.Name] = false
		}
	}
	node.Caller, node.Kwargs, node.Varargs = -1, -1, -1
	special := func(name string, takes *bool, slot *int) {
		if used[name] {
			inner.symbols.declare(name)
			*takes = true
			*slot = inner.fn.local(inner.symbols.refs[name])
		}
	}
	special("caller", &node.TakesCaller, &node.Caller)
	special("kwargs", &node.TakesKwargs, &node.Kwargs)
	special("varargs", &node.TakesVargs, &node.Varargs)
	inner.symbols.analyze(macroChildren(node)...)
	node.Scope = inner.scope(false)
	for _, arg := range node.Args {
		r.expression(arg, inner, 0)
	}
	inner.inDefaults = true
	for _, v := range node.Defaults {
		r.expression(v, inner, 0)
	}
	inner.inDefaults = false
	r.statements(node.Body, inner)
}

// expression resolves the names of an expression and checks its filters and tests.
func (r *resolver) expression(node Node, f *frame, height int) {
	if height > maxHeight {
		fail(1, "an expression is a chain of more than %d operators", maxHeight)
	}
	switch node := node.(type) {
	case *Name:
		node.Ref = f.ref(node.Name, node.Line)
		node.Bound = !f.inDefaults && f.symbols.isParameter(node.Name)
	case *NamespaceRef:
		node.Ref = f.ref(node.Name, node.Line)
	case *Cond:
		f = f.softly()
	case *Filter:
		if !f.soft && !r.known.Filter(node.Name) {
			fail(node.Line, "No filter named '%s'.", node.Name)
		}
	case *Test:
		if !f.soft && !r.known.Test(node.Name) {
			fail(node.Line, "No test named '%s'.", node.Name)
		}
	}
	for _, child := range operands(node) {
		r.expression(child, f, height+1)
	}
}
