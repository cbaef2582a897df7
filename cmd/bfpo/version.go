package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"
)

// runVersion prints the version of the program and what it computes on.
func runVersion(_ context.Context, o *options, args []string) error {
	if err := o.parse(args); err != nil {
		return err
	}
	c, err := o.recipe()
	if err != nil {
		return err
	}
	rt, done, err := o.runtime(c)
	if err != nil {
		return err
	}
	defer done()
	fmt.Fprintln(o.std.out, strings.Replace(versionLine(), " ", "      ", 1))
	fmt.Fprintf(o.std.out, "platform  %s\nbackend   %s\n", rt.Device.Platform(), rt.Device.Describe())
	if plugin := rt.Device.Plugin(); plugin != "" {
		fmt.Fprintf(o.std.out, "plugin    %s\n", plugin)
	}
	if kernels := rt.Device.Kernels(); kernels != "" {
		fmt.Fprintf(o.std.out, "kernels   %s\n", kernels)
	}
	fmt.Fprintf(o.std.out, "fast      %s\n", fastDType(rt.Device.FastBF16()))
	if advice := rt.Device.HugePageAdvice(); advice != "" {
		fmt.Fprintf(o.std.out, "pages     %s\n", advice)
	}
	fmt.Fprintf(o.std.out, "devices   %d\n", rt.Device.NumDevices())
	return nil
}

// versionLine names the program's version and what it was built for.
func versionLine() string {
	return fmt.Sprintf("bfpo %s (%s, %s/%s)", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// fastDType names the torch_dtype in which matrix products are fastest.
func fastDType(bf16 bool) string {
	if bf16 {
		return "torch_dtype bfloat16"
	}
	return "torch_dtype float32"
}
