package syntax

import (
	"maps"
	"slices"
	"strconv"
)

// loadKind is how a variable gets its value when its scope is entered.
type loadKind int

const (
	loadNothing loadKind = iota // it has none
	loadParameter
	loadContext // a variable of the context
	loadAlias   // another variable
)

type load struct {
	kind loadKind
	from string // a name of the context, or an identifier
}

// symbols are the variables of one scope. Each has an identifier, as in the Python that Jinja would generate: the level
// of the scope and the name. Scopes of one function at the same level share identifiers, and so slots.
type symbols struct {
	level  int
	parent *symbols
	refs   map[string]string // identifiers by names
	loads  map[string]load   // by identifiers
	stores map[string]bool   // names that are assigned to
}

func newSymbols(parent *symbols) *symbols {
	s := &symbols{parent: parent, refs: map[string]string{}, loads: map[string]load{}, stores: map[string]bool{}}
	if parent != nil {
		s.level = parent.level + 1
	}
	return s
}

func (s *symbols) copy() *symbols {
	return &symbols{s.level, s.parent, maps.Clone(s.refs), maps.Clone(s.loads), maps.Clone(s.stores)}
}

func (s *symbols) define(name string, l load) {
	identifier := strconv.Itoa(s.level) + "_" + name
	s.refs[name] = identifier
	s.loads[identifier] = l
}

// find returns the identifier of a name in this scope or one around it, or "".
func (s *symbols) find(name string) string {
	for ; s != nil; s = s.parent {
		if identifier, ok := s.refs[name]; ok {
			return identifier
		}
	}
	return ""
}

// isParameter reports whether a name is an argument of a macro or the variable of a loop.
func (s *symbols) isParameter(name string) bool {
	identifier := s.find(name)
	for ; s != nil; s = s.parent {
		if l, ok := s.loads[identifier]; ok {
			return l.kind == loadParameter
		}
	}
	return false
}

func (s *symbols) store(name string) {
	s.stores[name] = true
	if _, ok := s.refs[name]; ok {
		return
	}
	if outer := s.parent.find(name); outer != "" {
		s.define(name, load{loadAlias, outer})
		return
	}
	s.define(name, load{})
}

func (s *symbols) declare(name string) {
	s.stores[name] = true
	s.define(name, load{kind: loadParameter})
}

func (s *symbols) load(name string) {
	if s.find(name) == "" {
		s.define(name, load{loadContext, name})
	}
}

// merge takes over what the branches of an if define. A variable that only some of them assign to has its outer value
// until then.
func (s *symbols) merge(branches ...*symbols) {
	stores := map[string]bool{}
	for _, branch := range branches {
		maps.Copy(stores, branch.stores)
	}
	maps.DeleteFunc(stores, func(name string, _ bool) bool { return s.stores[name] })
	for _, branch := range branches {
		maps.Copy(s.refs, branch.refs)
		maps.Copy(s.loads, branch.loads)
		maps.Copy(s.stores, branch.stores)
	}
	for name := range stores {
		target := s.find(name)
		if outer := s.parent.find(name); outer != "" {
			s.loads[target] = load{loadAlias, outer}
		} else {
			s.loads[target] = load{loadContext, name}
		}
	}
}

// analyze finds the variables of nodes that belong to this scope; scopes within them are left out.
func (s *symbols) analyze(nodes ...Node) {
	for _, node := range nodes {
		s.visit(node, false)
	}
}

func (s *symbols) visit(node Node, isParameter bool) {
	switch node := node.(type) {
	case nil:
	case *Name:
		switch {
		case isParameter || node.Param:
			s.declare(node.Name)
		case node.Store:
			s.store(node.Name)
		default:
			s.load(node.Name)
		}
	case *NamespaceRef:
		s.load(node.Name)
	case *If:
		s.branch(node)
	case *Macro:
		s.store(node.Name)
	case *Assign:
		s.visit(node.Value, false)
		s.visit(node.Target, false)
	case *AssignBlock:
		s.visit(node.Target, false)
	case *For:
		s.visit(node.Iter, false)
	case *CallBlock:
		if node.Call != nil {
			s.visit(node.Call, false)
		}
	case *FilterBlock:
		s.visit(node.Filter, false)
	case *With:
		s.analyze(node.Values...)
	case *Block:
	default:
		for _, child := range children(node) {
			s.visit(child, isParameter)
		}
	}
}

func (s *symbols) branch(node *If) {
	s.visit(node.Test, false)
	within := func(nodes []Node) *symbols {
		c := s.copy()
		c.analyze(nodes...)
		return c
	}
	elifs := make([]Node, len(node.Elif))
	for i, elif := range node.Elif {
		elifs[i] = elif
	}
	s.merge(within(node.Body), within(elifs), within(node.Else))
}

// locals returns the identifiers of all variables that this scope and those around it assign to, by names.
func (s *symbols) locals() map[string]string {
	all := map[string]string{}
	for at := s; at != nil; at = at.parent {
		for name := range at.stores {
			if _, ok := all[name]; !ok {
				all[name] = at.find(name)
			}
		}
	}
	return all
}

// identifiers returns the identifiers of the scope in a fixed order.
func (s *symbols) identifiers() []string { return slices.Sorted(maps.Keys(s.loads)) }
