//! What the broker's refusals mean for the person at the terminal.

use std::io;

use lapin::ErrorKind;
use lapin::protocol::{AMQPError, AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::uri::AMQPUri;

use super::RabbitConfig;
use crate::error::Error;

/// A failure to connect. Never shows the password.
pub(super) fn explain_connect(config: &RabbitConfig, uri: &AMQPUri, error: lapin::Error) -> Error {
    let place = &config.place;
    let server = format!("{}:{}", uri.authority.host, uri.authority.port);
    let user = &uri.authority.userinfo.username;
    match error.kind() {
        ErrorKind::ProtocolError(refusal) if is_soft(refusal, AMQPSoftError::ACCESSREFUSED) => {
            Error::config(format!("RabbitMQ at {server} refuses the user \"{user}\""))
                .caused_by(refusal.get_message().to_string())
                .with_remedy(format!("check the user and the password in {place}"))
        }
        // Also used for a connection limit, which passes.
        ErrorKind::ProtocolError(refusal) if says(refusal, "limit") => {
            Error::transient(format!("RabbitMQ at {server} has no room for \"{user}\""))
                .caused_by(refusal.get_message().to_string())
        }
        ErrorKind::ProtocolError(refusal) if is_hard(refusal, AMQPHardError::NOTALLOWED) => {
            let message =
                format!("RabbitMQ at {server} refuses the virtual host \"{}\"", uri.vhost);
            Error::config(message).caused_by(refusal.get_message().to_string()).with_remedy(
                format!("create the virtual host, permit it to \"{user}\", or correct {place}"),
            )
        }
        ErrorKind::ParsingError(_) | ErrorKind::InvalidProtocolVersion(_) => {
            Error::config(format!("{server} does not speak AMQP 0-9-1"))
                .with_remedy(format!("correct host and port in {place}"))
        }
        ErrorKind::IOError(cause) if cause.kind() == io::ErrorKind::InvalidData => {
            Error::config(format!("no TLS connection to RabbitMQ at {server}"))
                .caused_by(cause.to_string())
                .with_remedy(format!("check the certificates, and the scheme and port in {place}"))
        }
        ErrorKind::IOError(cause) => {
            Error::transient(format!("cannot connect to RabbitMQ at {server}"))
                .caused_by(cause.to_string())
                .with_remedy(format!("start RabbitMQ, or correct host and port in {place}"))
        }
        _ => Error::transient(format!("cannot connect to RabbitMQ at {server}"))
            .caused_by(error.to_string()),
    }
}

/// A failure of something asked of a broker that we are connected to.
pub(super) fn explain_operation(config: &RabbitConfig, error: lapin::Error) -> Error {
    match error.kind() {
        // The broker's own sentence names the queue and the argument.
        ErrorKind::ProtocolError(refusal)
            if is_soft(refusal, AMQPSoftError::PRECONDITIONFAILED) =>
        {
            Error::config("a RabbitMQ queue or exchange exists in another form")
                .caused_by(refusal.get_message().to_string())
                .with_remedy(
                    "delete it when it is empty (goshift declares it again), or choose another \
                     \"prefix\" for the queue",
                )
        }
        ErrorKind::ProtocolError(refusal) if is_soft(refusal, AMQPSoftError::ACCESSREFUSED) => {
            Error::config("RabbitMQ does not permit what goshift needs")
                .caused_by(refusal.get_message().to_string())
                .with_remedy(format!(
                    "give the user in {} the permissions configure, write and read on \"{}.*\"",
                    config.place, config.prefix
                ))
        }
        _ => Error::transient("RabbitMQ failed").caused_by(error.to_string()),
    }
}

/// The broker took longer than we wait.
pub(super) fn too_slow(what: &str) -> Error {
    Error::transient(format!("RabbitMQ did not answer in time: {what}"))
}

fn is_soft(error: &AMQPError, kind: AMQPSoftError) -> bool {
    *error.kind() == AMQPErrorKind::Soft(kind)
}

fn is_hard(error: &AMQPError, kind: AMQPHardError) -> bool {
    *error.kind() == AMQPErrorKind::Hard(kind)
}

fn says(error: &AMQPError, word: &str) -> bool {
    is_hard(error, AMQPHardError::NOTALLOWED) && error.get_message().as_str().contains(word)
}
