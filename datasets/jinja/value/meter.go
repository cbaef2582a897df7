package value

import "context"

// The bounds of one rendering: a base for every template, and a part that grows with the size of its variables, so that
// long dialogues render. At the base, rendering ends within two seconds and 256 MiB.
const (
	baseSteps, stepsPerByte = 6 << 20, 16  // evaluated nodes, iterations and comparisons
	baseBytes, bytesPerByte = 96 << 20, 64 // of all texts and items that are ever made
	baseText, textPerByte   = 4 << 20, 8   // bytes of one text
	maxDepth                = 200          // macro calls and recursive loops in one another
	maxNesting              = 400          // lists in lists that are printed or compared
	MaxBits                 = 1 << 16      // of a whole number
	itemBytes               = 32           // what an item of a list is charged
	ticksPerCheck           = 1 << 12      // steps between two looks at the context
)

// Meter counts what one rendering uses and ends it when a bound is exceeded or its context is done. It is not safe for
// concurrent use.
type Meter struct {
	ctx            context.Context
	steps, bytes   int64 // what is left
	maxText        int
	tick           int // steps until the context is looked at
	depth, nesting int
}

// NewMeter returns the meter of a rendering whose variables have the given size in bytes.
func NewMeter(ctx context.Context, size int) *Meter {
	return &Meter{
		ctx:     ctx,
		steps:   baseSteps + int64(size)*stepsPerByte,
		bytes:   baseBytes + int64(size)*bytesPerByte,
		maxText: baseText + size*textPerByte,
	}
}

// Step charges n steps.
func (m *Meter) Step(n int) {
	m.steps -= int64(n)
	if m.tick -= n; m.tick <= 0 || m.steps < 0 {
		m.check()
	}
}

func (m *Meter) check() {
	m.tick = ticksPerCheck
	if err := m.ctx.Err(); err != nil {
		panic(&Failure{Kind: Stopped, Message: "rendering was stopped: " + err.Error(), Cause: err})
	}
	if m.steps < 0 {
		Fail(Limit, "rendering takes too many steps")
	}
}

// Read charges the time of reading a text of n bytes.
func (m *Meter) Read(n int) { m.Step(n / 64) }

// Text charges a new text of n bytes, which may be about to be made, and returns n.
func (m *Meter) Text(n int) int {
	if n > m.maxText || n < 0 {
		Fail(Limit, "a text has more than %d bytes", m.maxText)
	}
	m.grow(n + 16)
	return n
}

// Fits fails if a text of n bytes, which is charged elsewhere, is too long.
func (m *Meter) Fits(n int) {
	if n > m.maxText {
		Fail(Limit, "a text has more than %d bytes", m.maxText)
	}
}

// Quoted charges a text of n bytes whose characters may all have to be escaped.
func (m *Meter) Quoted(n int) {
	if n > 1<<20 {
		n *= 10
	}
	m.Text(n)
}

// Items charges n new items of a list, tuple or dict, which may be about to be made, and returns n.
func (m *Meter) Items(n int) int {
	if n < 0 || int64(n) > m.bytes {
		Fail(Limit, "a list has too many items")
	}
	m.grow((n + 1) * itemBytes)
	return n
}

func (m *Meter) grow(n int) {
	m.Step(1 + n/256)
	if m.bytes -= int64(n); m.bytes < 0 {
		Fail(Limit, "rendering makes too many texts and items")
	}
}

// Enter counts a macro call or recursive loop that begins; Leave must follow when it ends.
func (m *Meter) Enter() {
	if m.depth++; m.depth > maxDepth {
		Fail(Limit, "macro calls and recursive loops nest deeper than %d", maxDepth)
	}
}

// Leave counts the end of a call.
func (m *Meter) Leave() { m.depth-- }

// Descend counts a list, dict or generator that is gone into; Ascend must follow.
func (m *Meter) Descend() {
	m.Step(1)
	if m.nesting++; m.nesting > maxNesting {
		Fail(Limit, "values nest deeper than %d", maxNesting)
	}
}

// Ascend counts the way back.
func (m *Meter) Ascend() { m.nesting-- }
