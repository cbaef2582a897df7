package step

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// compileOn compiles the programs of a step for a mesh, without loading weights.
func compileOn(t *testing.T, d *device.Device, mesh *device.Mesh, layers []string) (Programs, *Stepper) {
	t.Helper()
	checkpoint, err := pretrained.Open("tiny")
	if err != nil {
		t.Fatal(err)
	}
	defer checkpoint.Close()
	names, err := mistral.Trainable(checkpoint.Config, layers)
	if err != nil {
		t.Fatal(err)
	}
	model := mistral.PlanModel(checkpoint.Config, mesh, dtypes.Float32)
	masters := mistral.PlanMasters(model, names)
	o := testOptions("bfpo")
	o.Remat = true
	s, err := NewStepper(d, model, State{Masters: masters, M: masters, V: masters}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	sizes, err := s.Compile([]batch.Shape{{Rows: 3, Length: 48, Targets: 32, Responses: 2}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return sizes, s
}

// collectives counts a program's collectives by kind and shapes, without XLA's layouts.
func collectives(c device.Compiled) map[string]int {
	found := map[string]int{}
	for _, o := range c.Work.Operations {
		switch name := strings.TrimSuffix(o.Name, "-start"); name {
		case "all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute":
			found[fmt.Sprintf("%s(%s) -> %s", name, strings.Join(o.Operands, ", "), o.Result)] += o.Count
		}
	}
	return found
}

// A step has exactly the collectives that its mesh needs: under data, one fused all-reduce of the gradients; otherwise
// all-gathers of weights and reduce-scatters of gradients. Activations are never exchanged (here no activation has the
// shape of a weight).
func TestCollectives(t *testing.T) {
	const devices = 4
	d := graphtest.CPUDevices(t, devices)
	for _, text := range []string{"data", "zero1", "fsdp", "data=2,fsdp=2"} {
		for _, layers := range [][]string{{"down_proj"}, nil} {
			mesh, err := device.ParseMesh(text, devices, config.ShardingRules())
			if err != nil {
				t.Fatal(err)
			}
			sizes, s := compileOn(t, d, mesh, layers)
			where := fmt.Sprintf("%s, %d trained", text, len(s.Masters.Names))
			gathers, scatters := shardCollectives(s)
			for what, n := range collectives(sizes.Grads) {
				if !gathers[what] && !scatters[what] {
					t.Errorf("%s: grads has %d × %s", where, n, what)
				}
			}
			for what := range scatters {
				if collectives(sizes.Grads)[what] == 0 {
					t.Errorf("%s: grads has no %s", where, what)
				}
			}
			for what, n := range collectives(sizes.Apply) {
				norm := what == "all-reduce(f32[]) -> f32[]" && mesh.Shards > 1
				vectors := what == "all-reduce(f32[64], f32[64]) -> f32[64]" && layers == nil && mesh.Shards > 1
				gradients := strings.HasPrefix(what, "all-reduce(") && mesh.Replicas > 1
				if n != 1 || !norm && !vectors && !gradients {
					t.Errorf("%s: apply has %d × %s", where, n, what)
				}
			}
			if n := len(collectives(sizes.Apply)); text == "data" && n != 1 || n > 3 {
				t.Errorf("%s: apply has %d kinds of collectives: %v", where, n, collectives(sizes.Apply))
			}
		}
	}
}

// shardCollectives lists the all-gathers of sharded weights and the reduce-scatters of their gradients.
func shardCollectives(s *Stepper) (gathers, scatters map[string]bool) {
	gathers, scatters = map[string]bool{}, map[string]bool{}
	dims := func(d []int) string { return strings.ReplaceAll(fmt.Sprint("f32", d), " ", ",") }
	for _, set := range []*device.TensorSet{s.model.Base, s.Masters} {
		for i := range set.Names {
			if !set.IsSharded(i) {
				continue
			}
			shard, whole := dims(set.Shapes()[i].Dimensions), dims(set.Shape(i).Dimensions)
			gathers[fmt.Sprintf("all-gather(%s) -> %s", shard, whole)] = true
			if set == s.Masters {
				scatters[fmt.Sprintf("reduce-scatter(%s) -> %s", whole, shard)] = true
			}
		}
	}
	return gathers, scatters
}

// Under fsdp each device holds 1/N of a step's inputs, and most of the state is updated in place.
func TestShardSizes(t *testing.T) {
	d := graphtest.CPUDevices(t, 8)
	whole, _ := compileOn(t, d, nil, nil)
	for _, devices := range []int{2, 4, 8} {
		mesh, err := device.ParseMesh("fsdp", devices, config.ShardingRules())
		if err != nil {
			t.Fatal(err)
		}
		sharded, _ := compileOn(t, d, mesh, nil)
		for _, c := range [][2]device.Compiled{{sharded.Grads, whole.Grads}, {sharded.Apply, whole.Apply}} {
			share := float64(c[0].Inputs) / float64(c[1].Inputs)
			t.Logf("%s on %d devices: inputs of %d bytes, on one %d; temporary memory of %d bytes, on one %d",
				c[0].Name, devices, c[0].Inputs, c[1].Inputs, c[0].Temp, c[1].Temp)
			if math.Abs(share*float64(devices)-1) > 0.05 {
				t.Errorf("%s on %d devices: inputs of %d bytes, %.4f of the bytes on one device",
					c[0].Name, devices, c[0].Inputs, share)
			}
		}
		if sharded.Grads.Aliases == 0 || sharded.Apply.Aliases*20 < sharded.Apply.Outputs*19 {
			t.Errorf("%d devices: %d of %d bytes are updated in place",
				devices, sharded.Apply.Aliases, sharded.Apply.Outputs)
		}
	}
}
