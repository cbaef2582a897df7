package judge

import "testing"

// FaultyServer gives the tests outside this package the server that service_test.go uses.
type FaultyServer = faultyServer

// NewFaultyServer starts one for a test.
func NewFaultyServer(t *testing.T) *FaultyServer { return newFaultyServer(t) }

// Impatient returns a judge behind the server that waits only briefly.
func (f *faultyServer) Impatient(t *testing.T, cache string) *Service { return f.impatient(t, cache) }

// Asked returns how often the server was asked about an answer.
func (f *faultyServer) Asked(answer string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[answer]
}
