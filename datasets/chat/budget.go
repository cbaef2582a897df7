package chat

import (
	"fmt"
	"strings"
	"time"

	"github.com/nikolalohinski/gonja/v2/exec"
)

// The bounds of the sandbox. Together they hold a hostile template to a few seconds and some hundred megabytes;
// published templates stay far below each.
const (
	maxSource    = 128 << 10 // bytes of a template
	maxTagTokens = 1024      // tokens of one {{ }} or {% %}
	maxJoins     = 64        // + and ~ in one tag: each can double a text
	maxBlocks    = 64        // nested blocks and macro calls
	maxText      = 2 << 20   // bytes of one value, and of the rendered text
	maxItems     = 10_000    // items of a range, list or split
	maxStored    = 256 << 20 // bytes assigned to variables during one rendering
)

// renderTime bounds the rendering of one dialogue or row; templates take well under a millisecond.
const renderTime = 5 * time.Second

// budget counts what one rendering has used of its bounds.
type budget struct {
	deadline time.Time
	depth    int   // of nested blocks and macro calls
	stored   int   // bytes assigned to variables
	failed   error // why the rendering must end; nil while it may go on
}

// budgetKey is the variable that holds a rendering's budget; no expression can name it, since it begins with a space.
const budgetKey = " budget"

// newBudget starts the budget of one rendering.
func newBudget() *budget { return &budget{deadline: time.Now().Add(renderTime)} }

// budgetOf returns the budget of the rendering that a context belongs to.
func budgetOf(context *exec.Context) *budget {
	b, _ := context.Get(budgetKey)
	return b.(*budget)
}

// fail ends the rendering with an error; the first error counts.
func (b *budget) fail(format string, args ...any) error {
	if b.failed == nil {
		b.failed = fmt.Errorf(format, args...)
	}
	return b.failed
}

// check returns why the rendering must end, if it must. Whatever can run in a loop calls it.
func (b *budget) check() error {
	if b.failed == nil && time.Now().After(b.deadline) {
		return b.fail("rendering takes longer than %v", renderTime)
	}
	return b.failed
}

// enter counts a block or macro call that begins; leave must follow, whatever enter returns.
func (b *budget) enter() error {
	if b.depth++; b.depth > maxBlocks {
		return b.fail("blocks or macro calls nest deeper than %d", maxBlocks)
	}
	return b.check()
}

func (b *budget) leave() { b.depth-- }

// store charges a value that is assigned to a variable.
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

// raise is the function raise_exception, with which a template refuses a dialogue.
func (b *budget) raise(_ *exec.Evaluator, args *exec.VarArgs) (*exec.Value, error) {
	return nil, b.fail("%s", args.First().String())
}

// measure adds the size of a value in bytes to size. It stops and returns false beyond maxText, so it also ends on a
// value that contains itself.
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

// meter is the writer behind everything that a template writes: the rendered text, the body of a variable or a macro's
// result. It bounds the text by maxText.
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
