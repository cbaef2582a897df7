package mistral_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// distance is the error of responses in bfloat16 against float32, in nats: the mean and the largest error of a
// response, and the mean error of a token.
type distance struct{ Mean, Max, Token float64 }

// peerFigures is what testdata/peer_bf16.py writes.
type peerFigures struct {
	Model string
	Rows  []struct {
		Prompt   []int32 `json:"prompt_ids"`
		Response []int32 `json:"response_ids"`
	}
	Float32 []float64           // torch's log-probabilities
	Torch   map[string]distance // by way of computing
}

// The forward pass in bfloat16 is no farther from the one in float32 than torch's, by the mean error of a token.
// The rows and torch's figures are in the file BFPO_PEER, which testdata/peer_bf16.py writes. The errors of whole
// responses are logged but not compared: they are sums of errors of either sign, and the standard error of their
// mean over some thirty responses is a fifth, about as much as the two implementations differ.
func TestPeerBFloat16(t *testing.T) {
	path := os.Getenv("BFPO_PEER")
	if path == "" {
		t.Skip("BFPO_PEER is not set")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var peer peerFigures
	if err := json.Unmarshal(data, &peer); err != nil {
		t.Fatal(err)
	}
	full, half := peerScores(t, peer, dtypes.Float32), peerScores(t, peer, dtypes.BFloat16)
	var ours distance
	float32Gap, tokens, squares := 0.0, 0, 0.0 // float32Gap is the largest difference from torch in float32
	n := float64(len(full))
	for i := range full {
		diff := math.Abs(half[i].LogProb - full[i].LogProb)
		ours.Mean, ours.Max = ours.Mean+diff/n, max(ours.Max, diff)
		squares += diff * diff
		for j, logp := range full[i].TokenLogProbs {
			ours.Token += math.Abs(float64(half[i].TokenLogProbs[j]) - float64(logp))
			tokens++
		}
		float32Gap = max(float32Gap, math.Abs(full[i].LogProb-peer.Float32[i]))
	}
	ours.Token /= float64(tokens)
	t.Logf("%d responses of %d tokens; in float32 torch and this package differ by at most %.2g nat",
		len(full), tokens, float32Gap)
	standardError := math.Sqrt((squares/n - ours.Mean*ours.Mean) / (n - 1))
	t.Logf("this package: mean %.4f (standard error %.4f), max %.4f nat between bfloat16 and float32; %.5f per token",
		ours.Mean, standardError, ours.Max, ours.Token)
	for name, torch := range peer.Torch {
		t.Logf("torch %s: mean %.4f, max %.4f nat; %.5f per token", name, torch.Mean, torch.Max, torch.Token)
		if ours.Token > torch.Token {
			t.Errorf("the mean error of a token in bfloat16 is %.5f nat, in torch (%s) %.5f", ours.Token, name, torch.Token)
		}
	}
}

// peerScores scores the peer's rows with its model in dtype.
func peerScores(t *testing.T, peer peerFigures, dtype dtypes.DType) []mistral.Score {
	t.Helper()
	checkpoint, err := pretrained.Open(peer.Model)
	if err != nil {
		t.Fatal(err)
	}
	defer checkpoint.Close()
	d := graphtest.Device(t)
	m, err := mistral.Load(d, checkpoint, dtype)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s := mistral.NewScorer(d, m.Config, m.Base, nil, dtype)
	defer s.Close()
	var sequences []mistral.Sequence
	for _, r := range peer.Rows {
		sequences = append(sequences, mistral.Sequence{PromptIDs: r.Prompt, ResponseIDs: r.Response})
	}
	return score(t, s, sequences)
}
