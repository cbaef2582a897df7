//go:build cgo && linux

package pjrt

import (
	"bufio"
	"os"
	"regexp"
	"sync"
	"syscall"
)

// hidesLogLines reports whether log lines of information and warnings are to be hidden. The variable holds the least
// level that XLA logs: 0 information, 1 warnings, 2 errors. go-xla sets it where the user has not.
func hidesLogLines() bool {
	level := os.Getenv("TF_CPP_MIN_LOG_LEVEL")
	return level != "0" && level != "1"
}

// logLine matches XLA's log lines of information and warnings, and the warning that comes before the first of them.
var logLine = regexp.MustCompile(`^([IW]\d{4} \d\d:\d\d:\d+\.\d+ .*|` +
	`WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR)\n?$`)

// lineFilter keeps XLA's log lines of information and warnings from standard error while functions run. The compiler
// for devices that are not present prints such lines whatever the level is. All other lines pass at once. The zero
// value is ready for use; several goroutines may use it.
type lineFilter struct {
	mu      sync.Mutex
	users   int
	saved   int           // what standard error is without the filter
	write   *os.File      // what it is meanwhile
	drained chan struct{} // closed when all lines have passed
}

// run calls f under the filter. If standard error cannot be redirected, f runs without it.
func (l *lineFilter) run(f func() error) error {
	if l.begin() {
		defer l.end()
	}
	return f()
}

const stderr = 2

// begin redirects standard error, unless another run has done so, and reports whether that worked.
func (l *lineFilter) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users > 0 {
		l.users++
		return true
	}
	saved, err := syscall.Dup(stderr)
	if err != nil {
		return false
	}
	read, write, err := os.Pipe()
	if err == nil {
		err = syscall.Dup3(int(write.Fd()), stderr, 0)
		if err != nil {
			read.Close()
			write.Close()
		}
	}
	if err != nil {
		syscall.Close(saved)
		return false
	}
	l.users, l.saved, l.write, l.drained = 1, saved, write, make(chan struct{})
	go l.pass(read)
	return true
}

// pass prints the lines that stay to the former standard error until the pipe is closed.
func (l *lineFilter) pass(read *os.File) {
	defer close(l.drained)
	defer read.Close()
	for lines := bufio.NewReader(read); ; {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 && !logLine.Match(line) {
			_, _ = syscall.Write(l.saved, line)
		}
		if err != nil {
			return
		}
	}
}

// end restores standard error after the last run, when all lines have passed.
func (l *lineFilter) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users--; l.users > 0 {
		return
	}
	_ = syscall.Dup3(l.saved, stderr, 0)
	l.write.Close()
	<-l.drained
	syscall.Close(l.saved)
}
