package syntax

import "github.com/bfpo-go/bfpo/datasets/jinja/value"

// Node is a part of the tree: a statement or an expression.
type Node any

// Ref is the place of a variable: a slot of the function that is so many functions further out.
type Ref struct{ Hops, Slot int }

// Load says what a variable holds when its scope is entered.
type Load struct {
	Slot   int
	From   *Ref   // another variable, or
	Lookup string // a variable of the context; nothing if both are missing
}

// Scope is what happens to variables around a body.
type Scope struct {
	Enter []Load
	Leave []int // slots that are forgotten
}

// Function is what Jinja compiles to a Python function.
type Function struct{ Slots int }

// Expressions. Line is the line of the template.
type (
	// Const is a literal.
	Const struct{ Value value.Value }
	// Data is text between tags.
	Data struct{ Text string }
	// Name is a variable. Store says that it is assigned to, Param that it is an argument or the target of with.
	Name struct {
		Line         int
		Name         string
		Store, Param bool
		Ref          Ref
		FilterRef    Ref  // of a loop's target in the function of the loop's filter
		Bound        bool // it is a parameter or loop variable, which has a value while its scope lives
	}
	// NamespaceRef is an attribute of a namespace that is assigned to.
	NamespaceRef struct {
		Line       int
		Name, Attr string
		Ref        Ref
	}
	// Tuple is (a, b), List [a, b] and Dict {a: b}.
	Tuple struct{ Items []Node }
	// List is a list literal.
	List struct{ Items []Node }
	// Dict is a dict literal.
	Dict struct{ Keys, Values []Node }
	// Binary is an operator of Python.
	Binary struct {
		Line        int
		Op          string
		Left, Right Node
	}
	// Logic is "and" or "or".
	Logic struct {
		Op          string
		Left, Right Node
	}
	// Unary is "not", "-" or "+".
	Unary struct {
		Line    int
		Op      string
		Operand Node
	}
	// Compare is a chain of comparisons.
	Compare struct {
		Line     int
		First    Node
		Ops      []string
		Operands []Node
	}
	// Concat is a ~ b ~ c.
	Concat struct {
		Line  int
		Parts []Node
	}
	// Cond is an inline if; Else is nil if there is none.
	Cond struct {
		Line             int
		Test, Then, Else Node
	}
	// GetAttr is a.b.
	GetAttr struct {
		Line int
		Of   Node
		Name string
	}
	// GetItem is a[b]; Arg may be a Slice.
	GetItem struct {
		Line    int
		Of, Arg Node
	}
	// Slice is start:stop:step, each nil where it is missing.
	Slice struct{ Start, Stop, Step Node }
	// Arguments are those of a call, filter or test.
	Arguments struct {
		Positional     []Node
		Names          []string
		Named          []Node
		Star, StarStar Node
	}
	// Call is f(x).
	Call struct {
		Line int
		Func Node
		Args Arguments
	}
	// Filter is a|name(x). Of is nil where the filter takes the text of a block.
	Filter struct {
		Line int
		Of   Node
		Name string
		Args Arguments
	}
	// Test is a is name(x).
	Test struct {
		Line int
		Of   Node
		Name string
		Args Arguments
	}
)

// Statements.
type (
	// Output writes its parts.
	Output struct {
		Line  int
		Parts []Node
	}
	// If is a chain of conditions.
	If struct {
		Line       int
		Test       Node
		Body, Else []Node
		Elif       []*If
	}
	// For is a loop.
	For struct {
		Line                int
		Target, Iter, Test  Node // Test is nil without a filter
		Body, Else          []Node
		Recursive, Extended bool // Extended: the variable loop is used

		BodyScope, ElseScope, TestScope Scope
		Loop                            Ref       // the variable loop
		Func                            *Function // of a recursive loop
		Filter                          *Function // of the loop's filter
	}
	// Macro is a macro, or the body of a call block, where Name is "" and Line that of the block.
	Macro struct {
		Line     int
		Name     string
		Args     []*Name
		Defaults []Node // of the last arguments
		Body     []Node

		Ref                                  Ref // what the macro is assigned to
		Func                                 *Function
		Scope                                Scope
		TopLevel                             bool
		Caller, Kwargs, Varargs              int // slots of the special arguments
		TakesCaller, TakesKwargs, TakesVargs bool
	}
	// CallBlock calls a macro with a body; Call is nil for the tag generation, which calls the body itself.
	CallBlock struct {
		Line int
		Call *Call
		Body *Macro
	}
	// FilterBlock writes its body through a filter.
	FilterBlock struct {
		Line   int
		Body   []Node
		Filter *Filter
		Scope  Scope
	}
	// With has variables of its own.
	With struct {
		Line    int
		Targets []Node
		Values  []Node
		Body    []Node
		Scope   Scope
	}
	// Assign is set. Globals are names of the top level, which blocks see.
	Assign struct {
		Line          int
		Target, Value Node
		Globals       []*Name
	}
	// AssignBlock sets a variable to a text; Filter is nil without filters.
	AssignBlock struct {
		Line    int
		Target  Node
		Filter  *Filter
		Body    []Node
		Scope   Scope
		Globals []*Name
	}
	// Block is a named part. Locals are the variables that a scoped block sees.
	Block struct {
		Line             int
		Name             string
		Scoped, Required bool
		Body             []Node
		Func             *Function
		Scope            Scope
		Locals           map[string]Ref
	}
	// Do evaluates an expression and writes nothing.
	Do struct {
		Line int
		Expr Node
	}
	// Break ends a loop.
	Break struct{ Line int }
	// Continue goes on with a loop's next item.
	Continue struct{ Line int }
)

// Template is a resolved tree.
type Template struct {
	Body      []Node
	Func      *Function
	Scope     Scope
	HasBlocks bool
}
