package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// stop is a signal to a running program, sent a while after its cause: a line of output that contains text, or a
// file whose path matches pattern, or, without either, the program's start.
type stop struct {
	signal  os.Signal // nil leaves the program alone
	text    string
	pattern string
	after   time.Duration
}

// child runs the built program to its end, and sends it the signal of s on the way.
func child(t *testing.T, s stop, args ...string) result {
	t.Helper()
	c := exec.Command(program(t), args...)
	var errs bytes.Buffer
	c.Stderr = &errs
	pipe, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(2*time.Minute, func() { c.Process.Kill() })
	defer limit.Stop()
	ended := make(chan struct{})
	defer close(ended)
	cause := make(chan struct{}, 1)
	go func() {
		select {
		case <-ended:
		case <-cause:
			time.Sleep(s.after)
			c.Process.Signal(s.signal) // an error means that the program has ended
		}
	}()
	switch {
	case s.signal == nil:
	case s.pattern != "":
		go watch(s.pattern, cause, ended)
	case s.text == "":
		cause <- struct{}{}
	}
	var out strings.Builder
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		out.WriteString(lines.Text() + "\n")
		if s.text != "" && strings.Contains(lines.Text(), s.text) {
			cause <- struct{}{}
			s.text = ""
		}
	}
	c.Wait() // its error is the exit code, which the result has
	return result{c.ProcessState.ExitCode(), out.String(), errs.String()}
}

// watch sends to found once a path matches a pattern, and returns then or when the program has ended.
func watch(pattern string, found chan<- struct{}, ended <-chan struct{}) {
	for {
		if paths, _ := filepath.Glob(pattern); len(paths) > 0 {
			found <- struct{}{}
			return
		}
		select {
		case <-ended:
			return
		case <-time.After(200 * time.Microsecond):
		}
	}
}
