package chat

import (
	"errors"
	"fmt"

	"github.com/nikolalohinski/gonja/v2/builtins"
	controlStructures "github.com/nikolalohinski/gonja/v2/builtins/control_structures"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/parser"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// newStatements returns the {% %} tags that templates can use; each spends from the rendering's budget.
func newStatements() *exec.ControlStructureSet {
	all := map[string]parser.ControlStructureParser{
		"generation": guardStatement(parseGeneration),
		"set":        guardStatement(parseSet),
		"macro":      guardStatement(parseMacro),
	}
	for _, name := range []string{"if", "for", "do", "raw"} {
		if parse, ok := builtins.ControlStructures.Get(name); ok {
			all[name] = guardStatement(parse)
		}
	}
	for _, name := range []string{"break", "continue"} {
		if parse, ok := builtins.ControlStructures.Get(name); ok {
			all[name] = parse
		}
	}
	return exec.NewControlStructureSet(all)
}

// guarded is a statement that spends from the rendering's budget.
type guarded struct{ exec.ControlStructure }

// guardStatement makes the statements of a parser guarded.
func guardStatement(parse parser.ControlStructureParser) parser.ControlStructureParser {
	return func(p, args *parser.Parser) (nodes.ControlStructure, error) {
		node, err := parse(p, args)
		if err != nil {
			return nil, err
		}
		statement, ok := node.(exec.ControlStructure)
		if !ok {
			return nil, fmt.Errorf("%s cannot be executed", node)
		}
		return guarded{statement}, nil
	}
}

// Execute implements exec.ControlStructure.
func (g guarded) Execute(r *exec.Renderer, tag *nodes.ControlStructureBlock) error {
	b := budgetOf(r.Environment.Context)
	defer b.leave()
	if err := b.enter(); err != nil {
		return err
	}
	return g.ControlStructure.Execute(r, tag)
}

// statement is the common part of the tags below: where the tag stands.
type statement struct{ at *tokens.Token }

// Position implements nodes.Node.
func (s statement) Position() *tokens.Token { return s.at }

// String implements nodes.Node.
func (s statement) String() string { return fmt.Sprintf("line %d", s.at.Line) }

// generation is the tag around the assistant's words from which transformers makes masks; it renders its body.
type generation struct {
	statement
	body *nodes.Wrapper
}

func parseGeneration(p, args *parser.Parser) (nodes.ControlStructure, error) {
	g := &generation{statement: statement{p.Current()}}
	body, end, err := p.WrapUntil("endgeneration")
	if err != nil {
		return nil, err
	}
	if !args.End() || !end.End() {
		return nil, errors.New("generation takes no arguments")
	}
	g.body = body
	return g, nil
}

// Execute implements exec.ControlStructure.
func (g *generation) Execute(r *exec.Renderer, _ *nodes.ControlStructureBlock) error {
	return r.ExecuteIfWrapper(g.body)
}

// metered renders a body through a meter; it takes the place of the body of a macro.
type metered struct {
	statement
	body *nodes.Wrapper
}

// Execute implements exec.ControlStructure.
func (m *metered) Execute(r *exec.Renderer, _ *nodes.ControlStructureBlock) error {
	text, err := renderBody(r, m.body)
	if err != nil {
		return err
	}
	_, err = r.Output.Write([]byte(text))
	return err
}

// renderBody returns the text that a body writes.
func renderBody(r *exec.Renderer, body *nodes.Wrapper) (string, error) {
	out := &meter{budget: budgetOf(r.Environment.Context)}
	sub := *r
	sub.Output = out
	err := sub.ExecuteWrapper(body)
	return out.text.String(), err
}

// macro is the tag that defines a function of the template; its calls spend from the budget.
type macro struct {
	statement
	node *nodes.Macro
}

func parseMacro(p, args *parser.Parser) (nodes.ControlStructure, error) {
	at := statement{p.Current()}
	parse, ok := builtins.ControlStructures.Get("macro")
	if !ok {
		return nil, errors.New("macros are not supported")
	}
	node, err := parse(p, args)
	if err != nil {
		return nil, err
	}
	parsed, ok := node.(*controlStructures.MacroControlStructure)
	if !ok {
		return nil, fmt.Errorf("%s is no macro", node)
	}
	body := *parsed.Macro.Wrapper
	block := &nodes.ControlStructureBlock{Location: at.at, Name: "macro", ControlStructure: &metered{at, &body}}
	parsed.Macro.Wrapper.Nodes = []nodes.Node{block}
	return &macro{at, parsed.Macro}, nil
}

// Execute implements exec.ControlStructure.
func (m *macro) Execute(r *exec.Renderer, _ *nodes.ControlStructureBlock) error {
	call, err := exec.MacroNodeToFunc(m.node, r)
	if err != nil {
		return err
	}
	b := budgetOf(r.Environment.Context)
	r.Environment.Context.Set(m.node.Name, exec.Macro(func(args *exec.VarArgs) *exec.Value {
		defer b.leave()
		if err := b.enter(); err != nil {
			return exec.AsValue(err)
		}
		for _, arg := range args.Args {
			if err := b.store(arg); err != nil {
				return exec.AsValue(err)
			}
		}
		for _, arg := range args.KwArgs {
			if err := b.store(arg); err != nil {
				return exec.AsValue(err)
			}
		}
		return call(args)
	}))
	return nil
}

// set is the tag that assigns to a variable or to an attribute of a namespace: the value of an expression, {% set x = …
// %}, or the text of a body, {% set x %}…{% endset %}.
type set struct {
	statement
	target                      nodes.Expression
	value, condition, otherwise nodes.Expression
	body                        *nodes.Wrapper
}

func parseSet(p, args *parser.Parser) (nodes.ControlStructure, error) {
	s := &set{statement: statement{p.Current()}}
	var err error
	if s.target, err = args.ParseVariableOrLiteral(); err != nil {
		return nil, err
	}
	switch s.target.(type) {
	case *nodes.Name, *nodes.GetAttribute, *nodes.GetItem:
	default:
		return nil, fmt.Errorf("set cannot assign to %s", s.target)
	}
	if args.Match(tokens.Assign) == nil {
		body, end, err := p.WrapUntil("endset")
		if err != nil {
			return nil, err
		}
		if !args.End() || !end.End() {
			return nil, errors.New("set: expected = or the end of the tag")
		}
		s.body = body
		return s, nil
	}
	if s.value, err = args.ParseExpression(); err != nil {
		return nil, err
	}
	if s.condition, s.otherwise, err = args.ParseCondition(); err != nil {
		return nil, err
	}
	if s.value == nil || !args.End() {
		return nil, errors.New("set: expected one expression after =")
	}
	return s, nil
}

// Execute implements exec.ControlStructure.
func (s *set) Execute(r *exec.Renderer, _ *nodes.ControlStructureBlock) error {
	value, err := s.evaluate(r)
	if err != nil {
		return err
	}
	b := budgetOf(r.Environment.Context)
	if err := b.store(value); err != nil {
		return err
	}
	var holder, key *exec.Value
	switch target := s.target.(type) {
	case *nodes.Name:
		r.Environment.Context.Set(target.Name.Val, value.Interface())
		return nil
	case *nodes.GetAttribute:
		holder, key = r.Eval(target.Node), exec.AsValue(target.Attribute)
	case *nodes.GetItem:
		holder, key = r.Eval(target.Node), r.Eval(target.Arg)
	}
	if holder.IsError() || key.IsError() {
		return fmt.Errorf("set: %s%s", holder.Error(), key.Error())
	}
	if err := holder.Set(key, value.Interface()); err != nil {
		return fmt.Errorf("set: %w", err)
	}
	return b.store(holder) // refuses a namespace that contains itself
}

// evaluate returns the value to assign.
func (s *set) evaluate(r *exec.Renderer) (*exec.Value, error) {
	if s.body != nil {
		text, err := renderBody(r, s.body)
		return exec.AsSafeValue(text), err
	}
	expression := s.value
	if s.condition != nil {
		condition := r.Eval(s.condition)
		if condition.IsError() {
			return nil, condition
		}
		if !condition.IsTrue() {
			expression = s.otherwise
		}
	}
	if expression == nil {
		return exec.AsValue(nil), nil
	}
	value := r.Eval(expression)
	if value.IsError() {
		return nil, value
	}
	return value, nil
}
