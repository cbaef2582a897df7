package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// screen collects what a program prints on a terminal.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// waitFor waits until the screen shows a text after what it showed at a length, and returns the new length.
func (s *screen) waitFor(t *testing.T, from int, text string) int {
	t.Helper()
	for range 6000 {
		if shown := s.String(); strings.Contains(shown[from:], text) {
			return from + strings.Index(shown[from:], text) + len(text)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the terminal does not show %q:\n%q", text, s.String()[from:])
	return 0
}

// TestChatOnTerminal chats on a pseudo-terminal: Ctrl-C stops an answer and leaves the prompt, the arrow key brings the
// last line back, and Ctrl-C at the prompt ends the program.
func TestChatOnTerminal(t *testing.T) {
	c := exec.Command(program(t), "chat", "-platform=go", "-model=tiny", "-max-tokens=1500", "-temperature=1")
	c.Env = append(os.Environ(), "TERM=xterm")
	terminal, err := pty.StartWithSize(c, &pty.Winsize{Rows: 24, Cols: 60})
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	defer terminal.Close()
	defer c.Process.Kill()
	var shown screen
	go io.Copy(&shown, terminal)
	at := shown.waitFor(t, 0, "stop the answer")
	at = shown.waitFor(t, at, chatPrompt)
	typed := func(keys string) {
		t.Helper()
		if _, err := io.WriteString(terminal, keys); err != nil {
			t.Fatal(err)
		}
	}
	typed("Hello\r")
	at = shown.waitFor(t, at, "Hello\r\n")
	for range 3000 { // until the answer has begun
		if len(shown.String()) > at+20 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	typed("\x03")
	at = shown.waitFor(t, at, "(stopped)")
	at = shown.waitFor(t, at, chatPrompt)
	typed("\x1b[A") // up: the last line
	at = shown.waitFor(t, at, "Hello")
	typed("\x15/what\r") // Ctrl-U empties the line
	at = shown.waitFor(t, at, "unknown command /what")
	shown.waitFor(t, at, chatPrompt)
	typed("\x03")
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Ctrl-C at the prompt: %v\n%q", err, shown.String())
		}
	case <-time.After(time.Minute):
		t.Error("Ctrl-C at the prompt does not end the program")
	}
}

// TestInterruptIsAcknowledged checks that a command says at once that it stops, also while it reads, and that a second
// signal ends it.
func TestInterruptIsAcknowledged(t *testing.T) {
	for _, args := range [][]string{{"score", "-model=tiny", "-platform=go"}, {"tokenize", "-model=tiny"}} {
		c := exec.Command(program(t), args...)
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var out, messages screen
		c.Stdout, c.Stderr = &out, &messages
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if args[0] == "tokenize" { // until it reads standard input
			io.WriteString(in, `{"text": "a"}`+"\n")
			out.waitFor(t, 0, "ids")
		} else {
			time.Sleep(500 * time.Millisecond)
		}
		c.Process.Signal(os.Interrupt)
		messages.waitFor(t, 0, "stopping …; press Ctrl-C again to end at once\n")
		if err := c.Wait(); c.ProcessState.ExitCode() != exitInterrupted {
			t.Errorf("bfpo %s: %v\n%s", args[0], err, messages.String())
		}
	}
}

func TestStoppingText(t *testing.T) {
	for _, c := range commands() {
		text := stoppingText(c, false)
		if strings.Contains(text, "after this step") != c.stepwise || strings.Contains(text, "\n") {
			t.Errorf("%s: %q", c.name, text)
		}
		if onTerminal := stoppingText(c, true); onTerminal != "\n"+text {
			t.Errorf("%s on a terminal: %q", c.name, onTerminal)
		}
	}
}
