package graph_test

import (
	"fmt"
	"log"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
)

// The chosen and the rejected response share one row with their prompt: segment 256 is the prompt of document 1, 257
// the chosen response, 258 the rejected one, 0 padding.
func ExampleMask() {
	d, err := device.Open(device.Options{Platform: device.PlatformGo})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	p := device.NewProgram(d, "mask", func(in [][]*Node) [][]*Node {
		row := graph.Layout{Segments: in[0][0]}
		return [][]*Node{{graph.Mask(row, row, 0)}}
	})
	segments := tensors.FromValue([][]int32{{256, 256, 257, 258, 0}})
	results, err := p.Call([]*tensors.Tensor{segments})
	if err != nil {
		log.Fatal(err)
	}
	for i, query := range results[0][0].Value().([][][]bool)[0] {
		fmt.Println(i, query)
	}
	// Output:
	// 0 [true false false false false]
	// 1 [true true false false false]
	// 2 [true true true false false]
	// 3 [true true false true false]
	// 4 [false false false false true]
}

// Two tokens of a vocabulary of three, as predicted by one hidden state.
func ExampleTokenLogProbs() {
	d, err := device.Open(device.Options{Platform: device.PlatformGo})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	p := device.NewProgram(d, "logp", func(in [][]*Node) [][]*Node {
		hidden, index, labels, head := in[0][0], in[0][1], in[0][2], in[0][3]
		logp, mean := graph.TokenLogProbs(hidden, index, labels, head, graph.HeadGradients{Hidden: true}, 256)
		return [][]*Node{{Exp(logp), mean}}
	})
	results, err := p.Call([]*tensors.Tensor{
		tensors.FromValue([][][]float32{{{1}}}),                 // hidden [B, S, D]
		tensors.FromValue([]int32{0, 0}),                        // index [N]
		tensors.FromValue([]int32{0, 2}),                        // labels [N]
		tensors.FromValue([][]float32{{0}, {0}, {0.693147181}}), // head [V, D]
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f %.3f\n", results[0][0].Value(), results[0][1].Value())
	// Output: [0.250 0.500] [0.231 0.231]
}
