package track

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Status shows what a run does before its first step. On a terminal the present phase is one line that counts its
// seconds and goes when the phase ends; any other output gets one plain line when a phase begins. Notices that are
// written to a Status appear above the line.
type Status struct {
	mu       sync.Mutex
	out      io.Writer
	name     string // begins each line: sft, bfpo
	terminal bool
	phase    string // "" between phases
	began    time.Time
	end      func() // stops the drawing
	drawing  sync.WaitGroup
}

// NewStatus returns a status without a phase. Close it after use.
func NewStatus(out io.Writer, name string) *Status {
	return newStatus(out, name, IsTerminal(out), time.Second)
}

// newStatus is NewStatus for an output that is taken for a terminal or not, and whose line is drawn anew after each
// interval.
func newStatus(out io.Writer, name string, terminal bool, interval time.Duration) *Status {
	stop := make(chan struct{})
	s := &Status{out: out, name: name, terminal: terminal, end: sync.OnceFunc(func() { close(stop) })}
	if !terminal {
		return s
	}
	s.drawing.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				s.mu.Lock()
				s.draw()
				s.mu.Unlock()
			}
		}
	})
	return s
}

// Begin ends the present phase and begins the next one, such as "reading the data".
func (s *Status) Begin(phase string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase, s.began = phase, time.Now()
	if s.terminal {
		s.draw()
		return
	}
	fmt.Fprintf(s.out, "%s   %s\n", s.name, phase)
}

// Write prints a notice above the line of the phase.
func (s *Status) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	n, err := s.out.Write(text)
	s.draw()
	return n, err
}

// Close ends the last phase and removes its line. A second Close does nothing.
func (s *Status) Close() {
	s.end()
	s.drawing.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	s.phase = ""
}

// draw shows the phase and its seconds so far on a terminal.
func (s *Status) draw() {
	if !s.terminal || s.phase == "" {
		return
	}
	s.clear()
	line := fmt.Sprintf("%s   %s …", s.name, s.phase)
	if seconds := int(time.Since(s.began).Seconds()); seconds > 0 {
		line += fmt.Sprintf(" %d s", seconds)
	}
	fmt.Fprint(s.out, line)
}

// clear empties the line.
func (s *Status) clear() {
	if s.terminal && s.phase != "" {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
}
