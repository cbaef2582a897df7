package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/bfpo-go/bfpo/bfpo/track"
)

// untilInterrupted returns a context that ends at the first Ctrl-C, SIGTERM or SIGHUP, which is acknowledged at once,
// whatever the command does at the moment. A second one ends the process. Commands that handle Ctrl-C themselves get
// the other two only.
func untilInterrupted(w io.Writer, c command) context.Context {
	signals := []os.Signal{syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it
		signals = append(signals, syscall.SIGHUP)
	}
	if !c.endsAnswers {
		signals = append(signals, os.Interrupt)
	}
	received := make(chan os.Signal, 1)
	signal.Notify(received, signals...)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-received
		signal.Stop(received) // a second signal ends the process at once
		fmt.Fprintln(w, stoppingText(c, track.IsTerminal(w)))
		cancel()
	}()
	return ctx
}

// stoppingText acknowledges a signal. On a terminal it begins a new line, since ^C or a progress bar stands on the
// present one.
func stoppingText(c command, terminal bool) string {
	text := "stopping"
	if c.stepwise {
		text += " after this step"
	}
	text += " …; press Ctrl-C again to end at once"
	if terminal {
		text = "\n" + text
	}
	return text
}
