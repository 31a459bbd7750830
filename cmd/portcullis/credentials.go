package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/portcullis-authz/portcullis/cmd/portcullis/internal/cli"
	"github.com/portcullis-authz/portcullis/pkg/credentials"
)

// getCredentials prints credentials as a credential_process does, or serves them.
func getCredentials(args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("credentials", flag.ContinueOnError)
	var c credentials.Config
	flags.StringVar(&c.STS, "sts", "", "`URL` of portcullis' STS, as its clients reach it (required)")
	flags.StringVar(&c.Role, "role", "", "`ARN` of the role (default: the only one that iam.awsIdentities lists for the caller)")
	flags.StringVar(&c.Profile, "source-profile", "", "`name` of the AWS profile that has the AWS credentials (default: the standard chain of the AWS SDK)")
	flags.StringVar(&c.Region, "region", "", "`region` of AWS's STS (default: that of the profile, or us-east-1)")
	flags.StringVar(&c.CAFile, "ca-file", "", "PEM `file` of authorities for the certificate of portcullis' STS, besides those of the system")
	flags.BoolVar(&c.AllowHTTP, "allow-http", false, "allow http:// for an STS on this machine")
	flags.StringVar(&c.Endpoint, "aws-endpoint", "", "`URL` that stands in for AWS's STS, as iam.sts.awsEndpoint does; needs --region")
	address := flags.String("serve", "", "serve credentials on the loopback `address`, for AWS_CONTAINER_CREDENTIALS_FULL_URI (default: print them once, as a credential_process)")
	tokenFile := flags.String("token-file", "", "`file` of the token that callers of --serve send, for AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE; made if it does not exist")
	if code, ok := cli.Parse(flags, args, out, errs); !ok {
		return code
	}
	source, err := credentials.New(c)
	if err == nil && (*address == "") != (*tokenFile == "") {
		err = errors.New("--serve and --token-file go together")
	}
	if err != nil {
		return cli.Wrong(errs, flags, err)
	}
	if err := credentials.Prepare(); err != nil {
		fmt.Fprintln(errs, "portcullis credentials:", err)
		return cli.ExitNo
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if *address != "" {
		err = serveCredentials(ctx, source, *address, *tokenFile, out, errs)
	} else {
		err = printCredentials(ctx, source, out)
	}
	if err != nil {
		fmt.Fprintln(errs, "portcullis credentials:", err)
		return cli.ExitNo
	}
	return cli.ExitGood
}

// printTime bounds a credential_process. SDKs wait for a minute.
const printTime = 40 * time.Second

func printCredentials(ctx context.Context, source *credentials.Source, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, printTime)
	defer cancel()
	c, err := source.Get(ctx)
	if err != nil {
		return err
	}
	_, err = out.Write(c.Process())
	return err
}

func serveCredentials(ctx context.Context, source *credentials.Source, address, tokenFile string, out, errs io.Writer) error {
	token, err := credentials.Token(tokenFile)
	if err != nil {
		return err
	}
	l, err := credentials.Listen(ctx, address)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	uri := "http://" + l.Addr().String() + "/"
	if err := notItself(l.Addr()); err != nil {
		return err
	}
	fmt.Fprintf(out, "AWS_CONTAINER_CREDENTIALS_FULL_URI=%s\nAWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=%s\n", uri, tokenFile)
	e := credentials.NewEndpoint(token, source.Get, func(err error) { fmt.Fprintln(errs, "portcullis credentials:", err) })
	return e.Serve(ctx, l)
}

// notItself refuses an environment that names this endpoint as the source of AWS credentials.
func notItself(own net.Addr) error {
	const name = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
	if os.Getenv(name) == "http://"+own.String()+"/" {
		return errors.New(name + " names this endpoint itself: remove it from its environment")
	}
	return nil
}
