package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/bfpo/track"
)

// Fact is a name with a value, shown as one line of the banner and of the report.
type Fact struct {
	Name, Value string
}

// MemoryPart is the memory on a device that one kind of tensor takes.
type MemoryPart struct {
	Name  string // e.g. "frozen weights", "masters", "moments", "activations"
	Bytes int64
}

// Memory is the memory that a run needs on each device, known before step 1.
type Memory struct {
	Parts     []MemoryPart
	Peak      int64 // bytes per device, from the compiled programs
	Available int64 // bytes per device; 0: unknown
	Devices   int
}

// String returns the peak beside the available memory, and the parts on a second line.
func (m Memory) String() string {
	text := track.FormatBytes(m.Peak)
	if m.Devices > 1 {
		text += fmt.Sprintf(" on each of %d devices", m.Devices)
	}
	if m.Available > 0 {
		text += " of " + track.FormatBytes(m.Available)
	}
	var parts []string
	for _, part := range m.Parts {
		parts = append(parts, part.Name+" "+track.FormatBytes(part.Bytes))
	}
	if len(parts) > 0 {
		text += "\n" + strings.Join(parts, ", ")
	}
	return text
}

// WriteBanner prints what a stage is about to do: a title, and one aligned line per fact (model, parameters trained,
// data, steps, memory). Further lines of a value are indented under its first line.
func WriteBanner(w io.Writer, title string, facts []Fact) error {
	width := 0
	for _, fact := range facts {
		width = max(width, utf8.RuneCountInString(fact.Name))
	}
	var b strings.Builder
	rule := strings.Repeat("─", max(72-utf8.RuneCountInString(title)-4, 4))
	fmt.Fprintf(&b, "\n── %s %s\n", title, rule)
	indent := strings.Repeat(" ", width+5)
	for _, fact := range facts {
		pad := strings.Repeat(" ", width-utf8.RuneCountInString(fact.Name))
		fmt.Fprintf(&b, "   %s%s  %s\n", fact.Name, pad, strings.ReplaceAll(fact.Value, "\n", "\n"+indent))
	}
	_, err := io.WriteString(w, b.String()+"\n")
	return err
}
