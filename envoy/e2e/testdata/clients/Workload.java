// Calls a guarded API as a workload with the AWS SDK for Java: credentials come from its default chain, the signature from its signer.
// A line of JSON in is a request, a line of JSON out is the answer's status.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.util.Base64;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.HttpExecuteRequest;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4HttpSigner;
import software.amazon.awssdk.http.auth.spi.signer.SignedRequest;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.identity.spi.AwsCredentialsIdentity;
import software.amazon.awssdk.protocols.jsoncore.JsonNode;
import software.amazon.awssdk.regions.providers.DefaultAwsRegionProviderChain;

class Workload {
    static final DefaultCredentialsProvider credentials = DefaultCredentialsProvider.builder().build();
    static final String region = DefaultAwsRegionProviderChain.builder().build().getRegion().id();
    static final SdkHttpClient http = UrlConnectionHttpClient.create();

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            try {
                System.out.println("{\"status\": " + call(JsonNode.parser().parse(line)) + "}");
            } catch (Exception e) {
                System.out.println("{\"error\": \"" + e.toString().replaceAll("[^ -~]|[\"\\\\]", " ") + "\"}");
            }
        }
    }

    static int call(JsonNode request) throws Exception {
        byte[] data = Base64.getDecoder().decode(text(request, "body"));
        ContentStreamProvider body = ContentStreamProvider.fromByteArray(data);
        SdkHttpRequest.Builder unsigned = SdkHttpRequest.builder()
            .method(SdkHttpMethod.fromValue(text(request, "method")))
            .uri(URI.create(text(request, "endpoint") + "/@connections/" + text(request, "connection")));
        if (data.length > 0) {
            unsigned.putHeader("Content-Length", String.valueOf(data.length)).putHeader("Content-Type", "application/octet-stream");
        }
        AwsCredentialsIdentity identity = credentials.resolveCredentials();
        SignedRequest signed = AwsV4HttpSigner.create().sign(r -> r.identity(identity).request(unsigned.build()).payload(body)
            .putProperty(AwsV4HttpSigner.SERVICE_SIGNING_NAME, "execute-api")
            .putProperty(AwsV4HttpSigner.REGION_NAME, region));
        HttpExecuteRequest.Builder request2 = HttpExecuteRequest.builder().request(signed.request());
        signed.payload().filter(p -> data.length > 0).ifPresent(request2::contentStreamProvider);
        return http.prepareRequest(request2.build()).call().httpResponse().statusCode();
    }

    static String text(JsonNode request, String name) {
        return request.field(name).get().asString();
    }
}
