package bench

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"

	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// PeerLosses holds the losses that PyTorch and JAX programs, the peers, compute for one file of pairs: of the first
// steps, in float32, each before its update, with the benchmark's model and the settings of the recipe bench.
type PeerLosses struct {
	Data  string
	Batch int
	Runs  []peerRun

	sha256 string // of the file of pairs
}

// peerRun holds the losses of one program.
type peerRun struct {
	Name   string
	Losses [RecordedLosses]float64
}

// recordedPeers returns the losses of the benchmark's peers in f32.
func recordedPeers() []PeerLosses {
	return []PeerLosses{
		{Data: "fixed", Batch: 2, sha256: "d63eb8f809ae663c41dbc2f18479ce479c5b3bd49f07f014aadb3756e6175d3e", Runs: []peerRun{
			{"torch-fixed-f32-compile", [...]float64{10000.00, 9908.61, 9818.22, 9727.87, 9637.99}},
			{"jax-fixed-f32", [...]float64{10000.00, 9908.97, 9818.20, 9727.92, 9638.04}},
		}},
		{Data: "ragged", Batch: 4, sha256: "19c3fcc97cb89a5910c105d3fcca69dadc4bc68f6fa3d14e92da02de728e8b0d",
			Runs: []peerRun{
				{"torch-ragged-f32-sdpa", [...]float64{8125.00, 4374.13, 6250.90, 4374.91, 6250.53}},
				{"jax-ragged-f32", [...]float64{8125.00, 4374.12, 6250.90, 4374.90, 6250.54}},
			}},
	}
}

// FindPeerLosses finds the losses for a file of pairs by the SHA-256 of its content.
func FindPeerLosses(b Bench) (PeerLosses, error) {
	text, err := atomicfile.ReadLimited(b.Pairs, MaxPairs)
	if err != nil {
		return PeerLosses{}, err
	}
	sum := sha256.Sum256(text)
	for _, p := range recordedPeers() {
		if p.sha256 != hex.EncodeToString(sum[:]) {
			continue
		}
		if p.Batch != b.Batch {
			return p, fmt.Errorf("%s: the peers' losses are for batches of %d pairs, not %d", b.Pairs, p.Batch, b.Batch)
		}
		return p, nil
	}
	return PeerLosses{}, fmt.Errorf("-check: %s: no peer's losses are known for this file, "+
		"only for the benchmark's own pairs_fixed.jsonl and pairs_ragged.jsonl", b.Pairs)
}

// Compare compares the losses of a result with the losses of every peer. It returns the largest relative difference
// and the allowed one. In f32, 1e-5 is allowed for the first loss, which depends on the targets only, and 1e-4 for the
// others. In bf16, 0.5 % is allowed, because the peers differ as much from each other. A larger difference is an error
// that names the step.
func (p PeerLosses) Compare(r Result) (worst, allowed float64, err error) {
	allowed = 1e-4
	if r.Precision == "bf16" {
		allowed = 5e-3
	}
	for _, run := range p.Runs {
		for i, got := range r.Losses {
			bound := allowed
			if i == 0 && r.Precision == "f32" {
				bound = 1e-5
			}
			difference := math.Abs(got-run.Losses[i]) / run.Losses[i]
			worst = max(worst, difference)
			if err == nil && !(difference <= bound) {
				err = fmt.Errorf("the losses differ from the peers': in step %d the loss is %.2f, and %s has %.2f; "+
					"the relative difference is %.2g, allowed is %g", i+1, got, run.Name, run.Losses[i], difference, bound)
			}
		}
	}
	return worst, allowed, err
}
