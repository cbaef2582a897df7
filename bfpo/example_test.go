package bfpo_test

import (
	"fmt"

	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/bfpo"
)

// The loss of four pairs from their summed log-probabilities, one for each combination of safety labels. Policy and
// reference agree, so each margin is 0 and each loss is (s/beta)^2: the squared distance to where the labels say the
// margin should be.
func ExampleBFPOLoss() {
	losses := MustExecOnce(gobackend.GetBackend(), func(policy, reference, safe *Node) *Node {
		row := func(x *Node, i int) *Node { return Reshape(Slice(x, AxisElem(i)), 4) }
		return bfpo.BFPOLoss(bfpo.Outcome{
			ChosenLogRatio:   Sub(row(policy, 0), row(reference, 0)),
			RejectedLogRatio: Sub(row(policy, 1), row(reference, 1)),
			ChosenSafe:       row(safe, 0), RejectedSafe: row(safe, 1),
		}, 0.1, 3, 0.5) // beta, b1, alpha
	},
		[][]float32{{-12, -9, -15, -8}, {-14, -11, -13, -9}},
		[][]float32{{-12, -9, -15, -8}, {-14, -11, -13, -9}},
		[][]float32{{1, 1, 0, 0}, {1, 0, 1, 0}})
	fmt.Println(losses.Value())
	// Output: [25 100 100 25]
}
