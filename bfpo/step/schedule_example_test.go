package step_test

import (
	"fmt"

	"github.com/bfpo-go/bfpo/bfpo/step"
)

// The learning rate rises to its peak within the warm-up and falls linearly to zero at the end of the run.
func ExampleSchedule_LearningRate() {
	schedule := step.Schedule{Kind: "linear", Peak: 4, Warmup: 2, Total: 4}
	for step := range 4 {
		fmt.Print(schedule.LearningRate(step), " ")
	}
	// Output: 0 2 4 2
}
