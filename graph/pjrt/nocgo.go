//go:build !(cgo && linux)

package pjrt

import (
	"errors"

	"github.com/gomlx/compute"
)

// Client is a GoMLX backend on a PJRT plugin. This build has none.
type Client struct {
	Backend compute.Backend
	Version string // of the plugin, for people
}

// Available is false: this build cannot load plugins.
const Available = false

var errNoCgo = errors.New("this program was built without cgo and cannot load PJRT plugins")

// Open returns an error: loading a plugin needs cgo.
func Open(string, Options) (*Client, error) { return nil, errNoCgo }

// Install returns an error: a plugin could not be loaded.
func Install() error { return errNoCgo }

// Close does nothing.
func (c *Client) Close() {}

// Tag returns name.
func (c *Client) Tag(name string) string { return name }

// TagBF16x3 returns name.
func (c *Client) TagBF16x3(name string) string { return name }

// Take returns no record.
func (c *Client) Take(string) (Compiled, bool) { return Compiled{}, false }

// Attribute returns nothing.
func (c *Client) Attribute(int, string) string { return "" }

// Compiled returns no records.
func (c *Client) Compiled() []Compiled { return nil }

// FastBF16 returns false.
func (c *Client) FastBF16() bool { return false }

// Kernels returns nothing.
func (c *Client) Kernels() string { return "" }

// Memory returns false.
func (c *Client) Memory(int) (Memory, bool) { return Memory{}, false }
