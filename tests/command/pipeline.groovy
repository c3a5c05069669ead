// A stand-in for Jenkins: runs a declarative Jenkinsfile with steps that only record themselves.
//
// groovy pipeline.groovy Jenkinsfile SCENARIOS: a JSON list of {params, sh, input, first, number, files}, where sh is a
// list of {match, status, stdout, abort} for the first `sh` whose label or script matches, and files are the beginnings
// of paths that exist. Prints a JSON list of
// {result, events}; an event is {kind, what, nodes, locks}: how many executors and locks were held.
// A step that is not named here ends it with an error, as does syntax that Groovy refuses.

import groovy.json.JsonOutput
import groovy.json.JsonSlurper
import org.codehaus.groovy.control.CompilerConfiguration

class Interrupted extends RuntimeException { }

class Failed extends RuntimeException {
    Failed(String message) { super(message) }
}

/** One build: what it was given, and what it did. */
class Build {
    static final List WORSE = ['SUCCESS', 'UNSTABLE', 'FAILURE', 'ABORTED']
    Map scenario
    List events = []
    List environment = []
    String result = 'SUCCESS'
    int nodes = 0
    int locks = 0

    void say(String kind, Object what) { events << [kind: kind, what: what, nodes: nodes, locks: locks] }

    void worsen(String to) { result = WORSE[Math.max(WORSE.indexOf(result), WORSE.indexOf(to))] }
}

/** What one block of the declarative syntax holds: name -> the arguments of each line of that name. */
class Section {
    Map said = [:]

    static Section of(Closure block) {
        Section section = new Section()
        block.delegate = section
        block.resolveStrategy = Closure.DELEGATE_FIRST
        block.call()
        section
    }

    Object methodMissing(String name, Object arguments) {
        said.computeIfAbsent(name) { [] } << (arguments as List)
        name
    }

    Object propertyMissing(String name) { name }

    Object block(String name) { said[name] ? said[name][0][0] : null }
}

/** The steps that a Jenkinsfile may use, and the pipeline itself. */
abstract class Steps extends Script {
    Build getBuild() { binding.getVariable('build') }

    void pipeline(Closure body) {
        Section all = Section.of(body)
        Map defaults = [:]
        Section.of(all.block('parameters')).said.each { String kind, List lines ->
            lines.each { List line -> defaults[line[0].name] = line[0].defaultValue ?: line[0].choices?.first() ?: '' }
        }
        Map params = defaults + (build.scenario.params ?: [:])
        binding.setVariable('params', params)
        if (!build.scenario.first) { // JENKINS-41929
            params.each { String name, Object value -> if (value != '') { binding.env[name] = value.toString() } }
        }
        build.say('options', Section.of(all.block('options')).said.keySet() as List)
        assert all.block('agent') == 'none'
        try {
            Section.of(all.block('stages')).said.stage.each { List line -> stage(line[0], line[1]) }
        } catch (Interrupted | Failed ended) {
            build.say('ended', ended.message ?: 'interrupted')
        }
        after(all)
    }

    void stage(String name, Closure body) {
        Section section = Section.of(body)
        Closure options = section.block('options')
        Map held = options ? Section.of(options).said : [:]
        if (section.block('when') && !run(Section.of(section.block('when')).block('expression'))) {
            build.say('skipped', name)
            return
        }
        build.locks += held.lock ? 1 : 0
        build.nodes += section.block('agent') ? 1 : 0
        build.say('stage', [name: name, options: held.keySet() as List])
        try {
            if (section.block('stages')) {
                Section.of(section.block('stages')).said.stage.each { List line -> stage(line[0], line[1]) }
            } else {
                run(section.block('steps'))
            }
        } catch (Interrupted ended) {
            build.worsen('ABORTED')
            throw ended
        } catch (Failed ended) {
            build.worsen('FAILURE')
            throw ended
        } finally {
            after(section)
            build.nodes -= section.block('agent') ? 1 : 0
            build.locks -= held.lock ? 1 : 0
        }
    }

    void after(Section section) {
        if (!section.block('post')) { return }
        Section post = Section.of(section.block('post'))
        ['always', build.result.toLowerCase()].each { String when ->
            if (post.block(when)) { run(post.block(when)) }
        }
    }

    Object run(Closure steps) {
        steps.delegate = this
        steps.resolveStrategy = Closure.DELEGATE_FIRST
        steps.call()
    }

    Object sh(String script) { sh(script: script) }

    Object sh(Map given) {
        String told = "${given.label ?: ''} ${given.script}"
        build.say('sh', [told: told, environment: build.environment.flatten()])
        Map answer = build.scenario.sh?.find { Map one -> told =~ one.match } ?: [:]
        if (answer.abort) { throw new Interrupted() }
        int status = answer.status ?: 0
        if (given.returnStatus) { return status }
        if (status) { throw new Failed("script returned exit code ${status}") }
        given.returnStdout ? answer.stdout ?: '' : null
    }

    Object input(Map given) {
        build.say('input', given)
        if (!build.scenario.input) { throw new Interrupted() }
        build.scenario.input
    }

    void script(Closure body) { body.call() }

    void parallel(Map parts) { parts.each { String name, Object part -> if (part in Closure) { part.call() } } }

    void withEnv(List variables, Closure body) {
        build.environment << variables*.toString()
        body.call()
        build.environment.pop()
    }

    void withCredentials(List given, Closure body) { body.call() }

    void catchError(Map given, Closure body) {
        try {
            body.call()
        } catch (Failed caught) {
            build.worsen(given.buildResult)
        }
    }

    void mail(Map given) {
        build.say('mail', given.collectEntries { String key, Object value -> [key, value.toString()] })
        if (build.scenario.mail == 'down') { throw new Failed('no mail server') }
    }

    void unstable(Object why) {
        build.say('unstable', why.toString())
        build.worsen('UNSTABLE')
    }

    void error(Object why) { throw new Failed(why.toString()) }

    void echo(Object text) { build.say('echo', text.toString()) }

    void unstash(String name) { build.say('unstash', name) }

    void junit(Map given) { build.say('junit', given.testResults.toString()) }

    void archiveArtifacts(Map given) { build.say('archiveArtifacts', given.artifacts.toString()) }

    void publishHTML(Map given) { build.say('publishHTML', given.target.reportDir.toString()) }

    void recordIssues(Map given) { build.say('recordIssues', given.tool) }

    void copyArtifacts(Map given) {
        build.say('copyArtifacts', given.subMap('selector', 'filter', 'target', 'flatten', 'optional'))
    }

    boolean fileExists(String path) { build.scenario.files?.any { String start -> path.startsWith(start) } }

    void stash(Map given) { build.say('stash', given.includes) }

    Object sarif(Map given) { given.pattern }

    Object lastSuccessful() { 'lastSuccessful' }

    Object specific(String number) { number }

    Object sshUserPrivateKey(Map given) { given }

    Object file(Map given) { given }
}

CompilerConfiguration configuration = new CompilerConfiguration(scriptBaseClass: Steps.name)
File pipeline = new File(args[0])
List ran = new JsonSlurper().parse(new File(args[1])).collect { Map scenario ->
    Build build = new Build(scenario: scenario)
    Map env = [JOB_NAME: 'ipvs-audit', BUILD_NUMBER: scenario.number ?: '12', BUILD_URL: 'https://ci.example.com/job/ipvs-audit/12/']
    Binding binding = new Binding(build: build, env: env)
    new GroovyShell(Steps.classLoader, binding, configuration).evaluate(pipeline)
    [result: build.result, events: build.events]
}
println JsonOutput.toJson(ran)
