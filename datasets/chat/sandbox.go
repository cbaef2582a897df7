package chat

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// The bounds of the template sandbox. Together they keep a hostile template to a few seconds and some hundred megabytes; published
// templates stay far below each.
const (
	maxSource    = 128 << 10 // bytes of a template
	maxTagTokens = 1024      // tokens within one {{ }} or {% %}
	maxJoins     = 64        // + and ~ within one tag: each can double a text
	maxBlocks    = 64        // blocks and macro calls within each other
	maxText      = 2 << 20   // bytes of one value, and of the rendered text
	maxItems     = 10_000    // of a range or a split
	maxStored    = 256 << 20 // bytes given to variables during one rendering
)

// budget is what one rendering has used of its bounds.
type budget struct {
	deadline time.Time
	depth    int
	stored   int
	failed   error // why rendering must end
}

// budgetKey is where a rendering's variables hold its budget; no expression can name it.
const budgetKey = " budget"

func budgetOf(context *exec.Context) *budget {
	b, _ := context.Get(budgetKey)
	return b.(*budget)
}

func (b *budget) fail(format string, args ...any) error {
	if b.failed == nil {
		b.failed = fmt.Errorf(format, args...)
	}
	return b.failed
}

// check is called often enough that no loop runs long between two calls.
func (b *budget) check() error {
	if b.failed == nil && time.Now().After(b.deadline) {
		return b.fail("rendering takes longer than %v", renderTime)
	}
	return b.failed
}

func (b *budget) enter() error {
	if b.depth++; b.depth > maxBlocks {
		return b.fail("blocks or macro calls nest deeper than %d", maxBlocks)
	}
	return b.check()
}

func (b *budget) leave() { b.depth-- }

// store charges a value that a variable is to hold.
func (b *budget) store(value *exec.Value) error {
	size := 0
	if !measure(value, &size) {
		return b.fail("a value is larger than %d bytes", maxText)
	}
	if b.stored += size; b.stored > maxStored {
		return b.fail("variables take more than %d bytes", maxStored)
	}
	return b.check()
}

// raise is raise_exception: the template refuses the dialogue.
func (b *budget) raise(_ *exec.Evaluator, args *exec.VarArgs) (*exec.Value, error) {
	return nil, b.fail("%s", args.First().String())
}

// measure adds the size of a value in bytes to size, and gives up, false, beyond maxText. It ends on a value that holds itself too.
func measure(value *exec.Value, size *int) bool {
	*size += 16
	if *size > maxText {
		return false
	}
	switch {
	case value == nil || value.IsNil():
	case value.IsString():
		*size += len(value.String())
	case value.IsList():
		for i := range value.Len() {
			if !measure(value.Index(i), size) {
				return false
			}
		}
	case value.IsDict():
		for _, key := range value.Keys() {
			item, _ := value.GetItem(key.Interface())
			if !measure(key, size) || !measure(item, size) {
				return false
			}
		}
	}
	return *size <= maxText
}

// meter counts what is written, wherever a template writes: to the prompt, a variable or a macro's result.
type meter struct {
	budget *budget
	text   strings.Builder
}

// Write implements io.Writer.
func (m *meter) Write(p []byte) (int, error) { return m.WriteString(string(p)) }

// WriteString implements io.StringWriter.
func (m *meter) WriteString(text string) (int, error) {
	if m.text.Len()+len(text) > maxText {
		return 0, m.budget.fail("the text grows beyond %d bytes", maxText)
	}
	if err := m.budget.check(); err != nil {
		return 0, err
	}
	return m.text.WriteString(text)
}

// checkTemplate refuses what the bounds of values cannot hold back: single expressions that grow without end, and recursion.
func checkTemplate(source string, settings *config.Config) error {
	if len(source) > maxSource {
		return fmt.Errorf("it has %d bytes, more than %d", len(source), maxSource)
	}
	var tag tagCheck
	stream := tokens.LexAll(source, settings)
	for ; !stream.End(); stream.Next() {
		if err := tag.next(stream.Current()); err != nil {
			return fmt.Errorf("line %d: %w", stream.Current().Line, err)
		}
	}
	if stream.IsError() {
		at := min(stream.Current().Pos, len(source))
		return fmt.Errorf("line %d: a string or tag is not closed, or a character does not belong there", 1+strings.Count(source[:at], "\n"))
	}
	return nil
}

// tagCheck follows the tokens of a template.
type tagCheck struct {
	block             string // the name of the block tag being read
	assigns, afterDot bool
	length, joins     int
	nested            int
}

func (c *tagCheck) next(token *tokens.Token) error {
	c.length++
	afterDot := c.afterDot
	c.afterDot = token.Type == tokens.Dot
	switch token.Type {
	case tokens.BlockBegin, tokens.VariableBegin:
		*c = tagCheck{nested: c.nested}
	case tokens.BlockEnd:
		return c.closeBlock()
	case tokens.Multiply, tokens.Power:
		return fmt.Errorf("the operator %s is not supported in chat templates", token.Val)
	case tokens.Addition, tokens.Tilde:
		c.joins++
	case tokens.Assign:
		c.assigns = true
	case tokens.Name:
		if c.block == "" && c.length == 1 {
			c.block = token.Val
		}
		if afterDot && strings.HasPrefix(token.Val, "_") {
			return fmt.Errorf("the attribute %s is not allowed", token.Val)
		}
		if c.block == "for" && token.Val == "recursive" {
			return errors.New("recursive loops are not supported in chat templates")
		}
	}
	if c.joins > maxJoins || c.length > maxTagTokens && token.Type != tokens.Data {
		return fmt.Errorf("a tag has more than %d joins or %d parts", maxJoins, maxTagTokens)
	}
	return nil
}

func (c *tagCheck) closeBlock() error {
	switch {
	case strings.HasPrefix(c.block, "end"):
		c.nested--
	case c.block == "if" || c.block == "for" || c.block == "macro" || c.block == "generation" || c.block == "set" && !c.assigns:
		c.nested++
	}
	if c.nested > maxBlocks {
		return fmt.Errorf("blocks nest deeper than %d", maxBlocks)
	}
	return nil
}

// sandbox is all that a chat template can use: statements, filters, tests, methods and functions without side effects.
// What is not listed (include, import, extends, lipsum, attr, ...) does not exist for it.
func sandbox() *exec.Environment {
	filters := make(map[string]exec.FilterFunction)
	for _, name := range []string{"capitalize", "count", "d", "default", "first", "int", "items", "last", "length", "lower", "map",
		"reject", "rejectattr", "reverse", "safe", "select", "selectattr", "string", "title", "trim", "upper"} {
		if filter, ok := builtins.Filters.Get(name); ok {
			filters[name] = guardFilter(filter)
		}
	}
	filters["join"], filters["list"], filters["replace"] = guardFilter(joinFilter), guardFilter(listFilter), guardFilter(replaceFilter)
	tests := exec.NewTestSet(map[string]exec.TestFunction{}).Update(builtins.Tests).Update(exec.NewTestSet(map[string]exec.TestFunction{
		"sequence": isSequence,
	}))
	functions := map[string]any{"range": rangeFunction}
	if namespace, ok := builtins.GlobalFunctions.Get("namespace"); ok {
		functions["namespace"] = namespace
	}
	return &exec.Environment{
		Context:           exec.NewContext(functions),
		Filters:           exec.NewFilterSet(filters),
		Tests:             tests,
		ControlStructures: statements(),
		Methods: exec.Methods{
			Bool:  exec.NewMethodSet(map[string]exec.Method[bool]{}),
			Int:   exec.NewMethodSet(map[string]exec.Method[int]{}),
			Float: exec.NewMethodSet(map[string]exec.Method[float64]{}),
			Str:   exec.NewMethodSet(stringMethods()),
			Dict:  exec.NewMethodSet(dictMethods()),
			List:  exec.NewMethodSet(map[string]exec.Method[[]any]{}), // nor has transformers' sandbox methods that change a list
		},
	}
}
