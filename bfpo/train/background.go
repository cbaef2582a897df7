package train

import "github.com/bfpo-go/bfpo/datasets/fault"

// background is work that runs while the steps do. Its zero value has nothing to do.
type background struct{ done chan error }

// begin starts work; what was begun before must have been waited for.
func (b *background) begin(work func() error) {
	done := make(chan error, 1)
	b.done = done
	go func() { done <- fault.Call(work) }()
}

// wait returns when nothing is under way any more, with the error of what was.
func (b *background) wait() error {
	if b.done == nil {
		return nil
	}
	err := <-b.done
	b.done = nil
	return err
}

// failed is the error of work that has ended; nil while it runs.
func (b *background) failed() error {
	select {
	case err := <-b.done:
		b.done = nil
		return err
	default:
		return nil
	}
}
